"""Incidents 事故・おそれ・違反: taken down, the party's hand-overs frozen, the law's clocks watched, each step stamped.

Everything is chosen from lists or is a number, a date or a cycle's id; no form here has a place for a person's name
or number. Only 課長 lifts a hold and decides what the ward publishes or reports.
"""
