"""Calendars on a CalDAV server: found, read and written over WebDAV."""
