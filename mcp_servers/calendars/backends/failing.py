"""How a calendar server can fail, for whoever asks one: each is a `Refusal` whose sentence may be shown. Pure."""

from __future__ import annotations

from mcp_servers.errors import Refusal

CHANGED = "The event has changed since. Look again."


class Unanswered(Refusal):
    """No answer came: whether a write was made is not known."""


class Failed(Unanswered):
    """It answered that it failed, which may be over in a moment."""


class Missing(Refusal):
    """There is nothing at that address that answers."""


class Exists(Refusal):
    """What was to be created is already there."""


class Busy(Refusal):
    """Too much was asked of it; nothing was done, and later it may be."""
