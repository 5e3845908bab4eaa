"""What every front-end may ask of the agent, whether it runs in this process or behind the service.

The one is `agent.sessions.session`, the other `agent.service.attach`. Tests and evals hold the runtime itself, front-ends hold its client;
code that is written against this works with both.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from agent.event_parts import Beside
from agent.events import ApprovalNeeded, Event, ToolClass
from agent.held_events import HeldCall
from agent.route_parts import NO_WISH, RouteWish
from agent.routes.report import ExplainRequest, Explanation, RoutesReport
from agent.sessions.compacting import Compacted
from agent.sessions.exporting import Form
from agent.tools.report import ToolsReport


class SessionInfo(Protocol):
    """One conversation, as a list of them shows it."""

    @property
    def session(self) -> str: ...
    @property
    def title(self) -> str: ...


class FoundTurn(Protocol):
    """A turn in which something that was looked for was said."""

    @property
    def session(self) -> str: ...
    @property
    def turn(self) -> str: ...


class Shelf(Protocol):
    """The conversations as things that are kept."""

    async def search(self, text: str) -> Sequence[FoundTurn]:
        """Turns in which all words of a text were said, the best first."""
        ...

    async def fork(self, session: str, *, until: str | None = None) -> str:
        """Copy a conversation up to a turn; the copy's id."""
        ...

    async def export(self, session: str, form: Form) -> str:
        """A conversation as a text."""
        ...


class Routes(Protocol):
    """What routing tells of itself."""

    async def report(self, limit: int) -> RoutesReport:
        """Nodes, and the last decisions with what came of them."""
        ...

    async def explain(self, asked: ExplainRequest) -> Explanation:
        """What would be decided now."""
        ...


class Holds(Protocol):
    """What was allowed to go out, and is held for a moment before it does."""

    def open(self) -> Sequence[HeldCall]:
        """What is held now, the next to go out first."""
        ...

    async def take_back(self, hold: str, *, who: str) -> None:
        """Have a held call not run; after this it never will."""
        ...


class Facade(Protocol):
    """The agent of one home."""

    @property
    def routes(self) -> Routes: ...

    @property
    def shelf(self) -> Shelf: ...

    @property
    def holds(self) -> Holds: ...

    async def open_session(self, *, resume: str | None = None, title: str = "") -> str:
        """Begin a conversation, or go on with one; its id."""
        ...

    async def send(  # noqa: PLR0913 - what a person may choose of a turn
        self, session: str, text: str, *, who: str, tier: str | None = None,
        grants: frozenset[ToolClass] = frozenset(), interactive: bool = True, attached: Sequence[Beside] = (),
        wish: RouteWish = NO_WISH,
    ) -> str:  # fmt: skip
        """Begin a turn; its id. What happens in it comes as events."""
        ...

    def events(self, session: str, *, after: int = 0) -> AsyncIterator[Event]:
        """The stored events after `after`, then live ones, without end."""
        ...

    async def approve(self, approval: str, *, digest: str, granted: bool, who: str, typed: Mapping[str, str] | None = None) -> None:
        """Answer an approval, once; `typed`: what was typed into the fields of a tool server's question."""
        ...

    async def cancel(self, session: str, *, who: str) -> None:
        """End the running turn, if there is one."""
        ...

    async def compact(self, session: str) -> Compacted:
        """Make room in a conversation now, between two turns."""
        ...

    async def delete(self, session: str) -> None:
        """Throw a conversation away with everything that came of it."""
        ...

    async def tools(self) -> ToolsReport:
        """What can be called, and which tool servers are not there."""
        ...

    def approvals(self) -> Sequence[ApprovalNeeded]:
        """What waits for a person. It may wait for a disk: from an event loop, call it in a thread."""
        ...

    def sessions(self) -> Sequence[SessionInfo]:
        """The conversations, the last used first; in a thread, as `approvals`."""
        ...

    def is_busy(self) -> bool:
        """Whether a turn or an approved call runs; one that waits for a person does not."""
        ...
