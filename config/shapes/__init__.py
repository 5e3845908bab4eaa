"""The shapes of the settings, one file a section: what may be set, its default, and a text for each field."""
