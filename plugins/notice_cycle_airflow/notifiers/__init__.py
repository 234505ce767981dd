"""Notifiers: mails to the ward's officers."""
