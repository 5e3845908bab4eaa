"""What other front-ends do in the conversation on the screen, shown while the person types: above the prompt, marked, and out of the way.

The person's own turns are followed by `following.py`. What is shown here came from the same log, so that two screens with one conversation
say the same; an approval that was raised elsewhere is told of, and asked about only at the person's word (`/approvals`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from agent.errors import AgentError
from agent.events import TURN_ENDS, ApprovalAnswered, ApprovalNeeded, ContextTrimmed, Event, TurnStarted
from agent.service.faults import ServiceGone
from bots.lines import trimmed_line
from bots.link import Link
from bots.repl.place import Place
from bots.repl.shown.meter import Meter
from bots.repl.shown.screen import Screen
from bots.repl.shown.tints import tinted_approval
from bots.repl.shown.turn_view import DIM, TurnView
from bots.repl.typed.person import Person
from config.plain import one_line

MAX_LOSSES = 3
"""Services that may go away one after the other before anything came of them: nobody asked for one."""
TAIL_CHARS = 200
"""Of an answer that grows elsewhere; the status line shows what fits of its end."""
MARK = "elsewhere"
ANSWER_HINT = "  waits for a yes or a no: /approvals asks you here"


class Above:
    """The screen while somebody may be typing: what is finished goes above the prompt in one piece, what still changes into its status."""

    def __init__(self, screen: Screen, person: Person) -> None:
        self._screen = screen
        self._person = person
        self._writes: list[Callable[[], None]] = []
        self._tail = ""

    def line(self, text: str, style: str = "") -> None:
        """See `Screen.line`."""
        self._writes.append(partial(self._screen.line, text, style))

    def block(self, text: str, style: str = "") -> None:
        """See `Screen.block`."""
        self._writes.append(partial(self._screen.block, text, style))

    def status(self, text: str | None) -> None:
        """What is being waited for elsewhere."""
        self._person.show_status(f"{MARK}: {text}" if text else None)

    def told(self, line: str) -> None:
        """What a turn took, now that it has ended; empty for nothing."""
        self._person.show_status(line or None)

    def grow(self, text: str) -> None:
        """More of an answer: its end is shown, all of it once it is whole."""
        self._tail = (self._tail + text)[-TAIL_CHARS:]
        self.status(_end_of(self._tail, max(self._screen.console.width - len(MARK) - 8, 1)))

    def settle(self, final: str | None = None) -> None:
        """An answer is whole."""
        self._tail = ""
        if final and final.strip():
            self._writes.append(partial(self._screen.settle, final))

    def flush(self) -> None:
        """Write what was gathered."""
        writes, self._writes = self._writes, []
        if writes:
            self._person.write_above(lambda: _all(writes))


class OtherTurns:
    """Turns of the conversation that were begun elsewhere, one after the other.

    Args:
        screen: where they are shown.
        person: who types meanwhile.
        place: the conversation; a turn that the person follows is not shown here.
    """

    def __init__(self, screen: Screen, person: Person, place: Place) -> None:
        self._above = Above(screen, person)
        self._place = place
        self._turn = ""
        self._view = TurnView(self._above)
        self._meter = Meter()
        self.open: dict[str, str] = {}
        """In which conversation each approval that they wait for was heard, also where the service lists it under none."""

    def show(self, event: Event) -> None:
        """Show one event of the conversation, if it is of such a turn."""
        if isinstance(event, ContextTrimmed) and event.cause == "asked":
            self._compacted(event)
            return
        if event.turn == self._place.turn:
            return
        if event.turn != self._turn:
            self._begin(event)
        self._meter = self._meter.after(event)
        if isinstance(event, ApprovalNeeded):
            self._ask(event)
        else:
            self._view.show(event)
        if isinstance(event, ApprovalAnswered):
            self.open.pop(event.approval, None)
        if event.type in TURN_ENDS:
            self._above.told(self._meter.line())
            self._turn = ""
        self._above.flush()

    def _compacted(self, event: ContextTrimmed) -> None:
        """Room that a person made: it bears the id of the last turn, which has ended."""
        if event.seq > self._place.compacted:
            self._above.line(trimmed_line(event), DIM)
            self._above.flush()

    def _begin(self, event: Event) -> None:
        self._turn, self._view, self._meter = event.turn, TurnView(self._above), Meter()
        if isinstance(event, TurnStarted):
            self._above.line(f"> {event.text}  ({event.who}, {MARK})", DIM)
        elif isinstance(event, ApprovalAnswered):
            self._above.line(f"(answered {MARK})", DIM)
        elif event.type not in TURN_ENDS:
            self._above.line(f"(a turn that was begun {MARK} goes on)", DIM)

    def _ask(self, needed: ApprovalNeeded) -> None:
        if self._place.session is not None:
            self.open[needed.approval] = self._place.session
        for line, style in tinted_approval(needed):
            self._above.block(line, style)
        self._above.line(ANSWER_HINT, "yellow")


class Watch:
    """Listens to the conversation for as long as the person types."""

    def __init__(self, link: Link, place: Place, others: OtherTurns) -> None:
        self._link = link
        self._place = place
        self._others = others

    async def run(self) -> None:
        """Show what comes until cancelled; a service that goes away is listened to again once there is another.

        What goes wrong is for a message to report: nobody asked for this.
        """
        losses = 0
        while self._place.session is not None and losses < MAX_LOSSES:
            try:
                service = await self._link.service()
                async with service.listening(self._place.session, after=self._place.seen) as events:
                    async for event in events:
                        losses = 0
                        self._place.seen = event.seq or self._place.seen
                        self._others.show(event)
            except ServiceGone:
                losses += 1
            except AgentError:
                return


def _all(writes: list[Callable[[], None]]) -> None:
    for write in writes:
        write()


def _end_of(text: str, width: int) -> str:
    shown = one_line(text)
    return shown if len(shown) <= width else f"…{shown[-width:]}"
