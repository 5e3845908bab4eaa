"""Where calendars are kept: today in local files."""
