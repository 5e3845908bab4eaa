"""What is found in a conversation that an editor opens again: a turn that runs, questions that wait; and which events come of it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from agent.events import TURN_ENDS, ApprovalAnswered, ApprovalNeeded, CallDecided, Event, ModelReplied, TextDelta, ToolStarted, TurnStarted
from agent.faces.outcome import Outcome
from agent.held_events import ToolHeld

AT_A_CALL = (CallDecided, ApprovalNeeded, ToolHeld, ToolStarted)
"""Where one of them is the newest, the turn waits for a call and not for a model."""


class Found:
    """One conversation, from its being opened on.

    Args:
        session: its id.
        stored: its events, as far as the editor knows them.
        but: turns that are told of already.
    """

    def __init__(self, session: str, stored: Sequence[Event], but: Collection[str] = ()) -> None:
        self.session = session
        self.seen = max((event.seq for event in stored), default=0)
        """The last event of the log that the editor knows."""
        self._turns = {event.turn for event in stored} - set(but)
        ended = {event.turn for event in stored if event.type in TURN_ENDS}
        begun = {event.turn: Outcome(session, event.turn) for event in stored if isinstance(event, TurnStarted)}
        self._running = {turn: outcome for turn, outcome in begun.items() if turn not in ended and turn in self._turns}
        """Turns that are told of."""
        last = {event.turn: event for event in stored}
        self._is_cut = {turn for turn in self._running if not isinstance(last[turn], AT_A_CALL)}
        """Those whose reply may have begun before anybody listened here: the whole of it comes with the log."""
        self._is_missed: set[str] = set()
        """Those of which a reply may have begun while nobody listened, though its beginning in the log was heard."""
        self._asked: set[str] = set()
        self._open: dict[str, str] = {}
        """Turns of the questions that nobody has answered yet."""
        self._other: list[Event] = []
        """Stored events of the turn that was begun last, as long as nothing tells that it is to be told of."""
        for event in stored:
            if event.turn in self._running:
                self._running[event.turn].take(event)

    @property
    def is_over(self) -> bool:
        """Nothing more can come of what was found."""
        return not (self._running or self._open)

    def begin(self, needed: ApprovalNeeded) -> bool:
        """A question; whether it is one of this conversation that has not been begun with."""
        # By turn: questions of tool servers are in no log, and a copy of a conversation has the ids of its approvals but not of its turns.
        if needed.turn not in self._turns or needed.approval in self._asked:
            return False
        self._asked.add(needed.approval)
        self._open[needed.approval] = needed.turn
        return True

    def take(self, event: Event) -> list[tuple[Outcome, Event]]:
        """One event of the conversation; those that are to be told now, and with which outcome."""
        self.seen = event.seq or self.seen
        if isinstance(event, TurnStarted):
            self._other = []
        if isinstance(event, ApprovalAnswered) and self._open.pop(event.approval, None) is not None and event.outcome == "yes":
            self._adopt(event.turn)
        outcome = self._running.get(event.turn)
        if outcome is None:
            if event.seq:
                self._other.append(event)
            return []
        # After a break the log comes before what is live, and more than it may be missing: up to the next whole reply.
        if event.seq and (event.turn not in self._is_missed or isinstance(event, ModelReplied)):
            self._is_cut.discard(event.turn)
            self._is_missed.discard(event.turn)
        if event.type in TURN_ENDS:
            self._end(event)
        before, self._other = [each for each in self._other if each.turn == event.turn], []
        return [(outcome, each) for each in (*before, event) if not (isinstance(each, TextDelta) and each.turn in self._is_cut)]

    def break_off(self) -> None:
        """Nobody listens for a while: of a reply that goes on meanwhile, the whole comes with the log."""
        self._is_cut |= set(self._running)
        self._is_missed |= set(self._running)

    def _adopt(self, turn: str) -> None:
        """The turn that asked or, where that has ended, the one that runs the call."""
        self._running.setdefault(turn, Outcome(self.session, turn))
        self._turns.add(turn)

    def _end(self, event: Event) -> None:
        del self._running[event.turn]
        if event.type != "turn_done":
            # Else its questions may wait on.
            self._open = {approval: turn for approval, turn in self._open.items() if turn != event.turn}
