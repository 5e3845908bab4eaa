"""The calendar server."""
