"""Where calendars are kept: in local files and on CalDAV servers, behind one contract."""
