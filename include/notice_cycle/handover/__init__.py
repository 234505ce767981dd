"""Handover 引渡し: the package reaches the contractor, once, whole, and provably."""
