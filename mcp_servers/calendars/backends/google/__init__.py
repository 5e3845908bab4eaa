"""Calendars of a Google account, over Google's own API."""
