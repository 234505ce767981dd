"""Delivery 納品: what was printed and delivered equals what was planned, and the ward's officer received it."""
