"""Operators: forms answered by people."""
