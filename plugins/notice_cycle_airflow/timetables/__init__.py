"""Timetables of our own: when a DAG starts by itself."""
