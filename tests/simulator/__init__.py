"""Contractors that are honest, late, silent, wrong, sloppy or malicious, each in a named way."""
