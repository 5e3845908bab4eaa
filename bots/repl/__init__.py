"""The chat in a terminal: inline, so that scrolling, selecting and searching stay the terminal's own."""
