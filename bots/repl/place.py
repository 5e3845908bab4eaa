"""Where the conversation is: its session, how far it was shown, and which tier was asked for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Place:
    """One conversation at a time."""

    session: str | None = None
    """None before its first message."""
    seen: int = 0
    """The last stored event that was shown."""
    tier: str | None = None
    """Pinned by the person; None where the rules choose."""
    turn: str | None = None
    """The turn that the person follows or has followed last; all others were begun elsewhere."""

    compacted: int = 0
    """The place in the log where this screen made room last: what came of it has been shown."""

    def move(self, session: str | None, *, seen: int = 0) -> None:
        """Go on in another one, of which the events up to `seen` are known."""
        self.session, self.seen, self.compacted = session, seen, 0
