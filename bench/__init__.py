"""Measuring the product against the obvious way of doing the same: `make bench`. No test, and nothing tests time."""
