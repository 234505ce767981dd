"""Extraction 抽出: reading one notice's data from the core system, counted against its control totals."""
