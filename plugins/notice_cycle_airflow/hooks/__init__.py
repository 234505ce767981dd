"""Hooks: the only code that opens connections to a contractor."""
