"""How much of a title front-ends show."""

TITLE_WIDTH = 60
"""Of what names a conversation: whoever begins one with a whole log wants one line of it in a list."""
