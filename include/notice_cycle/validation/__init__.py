"""Validation 検証: rules as data, judged by Great Expectations, told in counts only."""
