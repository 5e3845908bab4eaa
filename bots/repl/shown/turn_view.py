"""One turn on the screen: every event becomes a line, a growing answer or a status, and nothing is decided here."""

from __future__ import annotations

import time
from typing import Protocol

from agent.events import (
    ApprovalAnswered,
    CacheLost,
    CallDecided,
    ContextTrimmed,
    EngineLoading,
    Event,
    ModelReplied,
    PromptReading,
    RouteChosen,
    ServersMissing,
    TextDelta,
    ToolFinished,
    ToolProgress,
    ToolStarted,
    TurnCancelled,
    TurnDone,
    TurnFailed,
)
from agent.held_events import ToolHeld, ToolTakenBack
from bots.lines import (
    call_line,
    held_line,
    loading_line,
    missing_lines,
    progress_line,
    reading_line,
    result_line,
    route_line,
    staying_lines,
    trimmed_line,
)
from bots.repl.shown.held import HINT

DIM = "dim"
THINKING = "thinking"
OUTCOMES = {"yes": "approved", "no": "refused", "expired": "not approved in time"}


class Canvas(Protocol):
    """What a turn is drawn on: `Screen` as a rule; each method is described there."""

    def line(self, text: str, style: str = "") -> None: ...
    def block(self, text: str, style: str = "") -> None: ...
    def status(self, text: str | None) -> None: ...
    def grow(self, text: str) -> None: ...
    def settle(self, final: str | None = None) -> None: ...


class TurnView:
    """Renders the events of one turn."""

    def __init__(self, screen: Canvas) -> None:
        self._screen = screen
        self._calls: dict[str, str] = {}
        self._is_one_of_many = False
        """The last reply had several calls, so that an answer is said with which it is for."""
        self._shown = ""

    def show(self, event: Event) -> None:
        """Render one event."""
        match event:
            case TextDelta():
                self._screen.grow(event.text)
            case ModelReplied():
                self._replied(event)
            case RouteChosen():
                self._screen.line(route_line(event), DIM)
                self._screen.status(THINKING)
            case ContextTrimmed():
                self._screen.line(trimmed_line(event), DIM)
            case ServersMissing():
                for line in missing_lines(event):
                    self._screen.line(line, "yellow")
            case CacheLost():
                self._screen.line(event.line, "yellow")
            case EngineLoading() | PromptReading():
                self._screen.status(_waiting_for(event))
            case TurnDone() | TurnFailed() | TurnCancelled():
                self._ended(event)
            case _:
                self._tool(event)

    def _replied(self, event: ModelReplied) -> None:
        # Live text may have been missed; what was stored is the whole.
        self._screen.settle(event.text)
        self._shown = event.text
        self._is_one_of_many = len(event.calls) > 1
        for call in event.calls:
            self._calls[call.id] = call_line(call.name, call.arguments)
        if event.calls:
            self._screen.status("; ".join(self._calls[call.id] for call in event.calls))

    def _tool(self, event: Event) -> None:
        match event:
            case CallDecided():
                self._calls.setdefault(event.call, call_line(event.name, event.arguments))
                for line in staying_lines(event):
                    self._screen.line(line, "yellow")
            case ToolStarted():
                self._screen.status(self._calls.get(event.call, event.name))
            case ToolProgress():
                self._screen.status(progress_line(event))
            case ToolHeld():
                self._screen.line(f"  {held_line(event, time.time())} ({HINT}, elsewhere variet undo)", "yellow")
            case ToolTakenBack():
                self._screen.line("  taken back, not sent", "yellow")
                self._screen.status(THINKING)
            case ApprovalAnswered():
                which = self._calls.get(event.call, "") if self._is_one_of_many else ""
                self._screen.line(f"  {OUTCOMES[event.outcome]}{': ' if which else ''}{which}", DIM)
                self._screen.status(THINKING)
            case ToolFinished():
                mark, style = ("✓", "green") if event.ok else ("✗", "red")
                call = self._calls.get(event.call, event.name)
                self._screen.line(f"{mark} {call} → {result_line(event)}", style if not event.ok else DIM)
                self._screen.status(THINKING)
            case _:
                pass

    def _ended(self, event: TurnDone | TurnFailed | TurnCancelled) -> None:
        # One who listens since a moment ago has heard its end at most.
        self._screen.settle(event.said or None if isinstance(event, TurnCancelled) else None)
        match event:
            case TurnDone():
                # An answer that no model wrote: out of time, or something waits.
                if event.answer.strip() != self._shown.strip():
                    self._screen.settle(event.answer)
            case TurnFailed():
                self._screen.block(event.error, "red")
            case TurnCancelled():
                self._screen.line("Cancelled.", DIM)


def _waiting_for(event: EngineLoading | PromptReading) -> str:
    if isinstance(event, PromptReading):
        return reading_line(event) if event.read < event.total else THINKING
    return loading_line(event) if event.phase != "ready" else THINKING
