"""Sensors: waiting for a contractor."""
