"""Composition 印字データ作成: envelopes, postal order, the print file and its manifest."""
