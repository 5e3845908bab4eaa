"""What of a home's conversations is held before it goes out, and taken back: all of it is in turns that run, which alone decide."""

from __future__ import annotations

from agent.errors import HoldError
from agent.held_events import HeldCall
from agent.sessions.opened import OpenSessions
from agent.turns.effects import TakenBack


class Holds:
    """The holds of one home.

    Args:
        sessions: its conversations.
    """

    def __init__(self, sessions: OpenSessions) -> None:
        self._sessions = sessions

    def open(self) -> list[HeldCall]:
        """What is held now, the next to go out first."""
        held = [HeldCall(session=session, held=each) for session, turn in self._sessions.running() for each in turn.held]
        return sorted(held, key=lambda each: each.held.due)

    async def take_back(self, hold: str, *, who: str) -> None:
        """Have a held call not run; after this it never will.

        Args:
            hold: its name.
            who: who takes it back.

        Raises:
            HoldError: it has gone out, was taken back already, or never was held.
        """
        for _, turn in self._sessions.running():
            if any(held.hold == hold for held in turn.held) and await turn.answer(TakenBack(hold, who)):
                return
        raise HoldError

    async def take_back_approved(self, approval: str, *, who: str) -> bool:
        """The same for a call that a person had approved; whether it was held."""
        held = next((each.held for each in self.open() if each.held.approval == approval), None)
        if held is None:
            return False
        await self.take_back(held.hold, who=who)
        return True
