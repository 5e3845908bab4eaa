"""How much of each request the server has read already: the bytes of a prompt that begin like the last one and what was answered to it.

The scenes are those that break it elsewhere: thoughts, tools that are found late, other permissions, other tools after a restart, midnight,
a second conversation in between. What leaves the view on purpose is shown and held against nothing.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from agent.local_time import Zone
from agent.sessions.session import open_runtime
from agent.tools.own import shown_tools
from agent.tools.toolbox import Tool
from bench.figures import Figure
from config.paths import Home
from config.schema import AgentSection, AgentSettings
from tests.agent.runtimes import Agent, MemoryTools
from tests.agent.test_bridge import BUDGET_BYTES, many_tools, prompt_bytes
from tests.fakes.scripted_model import Say, scripted_model

BERLIN = ZoneInfo("Europe/Berlin")
BEFORE_MIDNIGHT = datetime(2026, 11, 21, 23, 59, tzinfo=BERLIN)
READ, WRITE = "list_events", "create_event"
SMALL_CONTEXT = 2048
LONG = "All the numbers of the quarter are ready, and lunch is at noon. " * 20
ANSWER = Say("Done.")


class Prompt(NamedTuple):
    """What a server makes its prompt of."""

    tools: bytes
    messages: bytes


class _Clock(Zone):
    """A person's clock on which a minute goes by between two looks."""

    looks = 0

    def now(self) -> datetime:
        type(self).looks += 1
        return BEFORE_MIDNIGHT + timedelta(minutes=self.looks)


class _Shuffled(MemoryTools):
    """The same servers after a restart, with more tools in another order."""

    async def tools(self) -> tuple[Tool, ...]:
        return (*many_tools()[-20:], *reversed(await super().tools()))


class _Many(MemoryTools):
    async def tools(self) -> tuple[Tool, ...]:
        return (*await super().tools(), *many_tools()[-20:])


@dataclass(frozen=True)
class Scene:
    """One conversation."""

    name: str
    says: Sequence[Say]
    turns: int
    text: str = "go"
    n_ctx: int = 1_000_000
    shown: Literal["core", "bridge"] = "core"
    first: type[MemoryTools] = MemoryTools
    second: type[MemoryTools] | None = None
    """From the second turn on there is a new runtime, with these tools."""
    is_granting: bool = False
    """Every other turn may write unasked."""
    is_disturbed: bool = False


def prompt_of(body: bytes) -> Prompt:
    """The parts of a request that a template renders."""
    messages, _, rest = body.partition(b',"messages":[')[2].rpartition(b'],"tools":')
    return Prompt(rest.rpartition(b',"cache_prompt"')[0], messages)


def read_anew(bodies: Sequence[bytes], says: Sequence[Say]) -> tuple[int, int]:
    """Bytes that a server read or wrote before and has to read again, and all that it could have kept.

    Args:
        bodies: a conversation's requests, in order.
        says: what was answered to each.
    """
    anew, whole = 0, 0
    for before, say, now in zip(bodies, says, bodies[1:], strict=False):
        old, new = prompt_of(before), prompt_of(now)
        size = len(old.tools) + len(old.messages)
        kept = _common(old.tools, new.tools)
        kept += _common(old.messages, new.messages) if kept == len(old.tools) else 0
        written, is_same = _replayed(new.messages[len(old.messages) :], say) if kept == size else (0, True)
        whole += size + written
        anew += size - kept + (0 if is_same else written)
    return anew, whole


def measure_many_tools(_place: Path, count: int) -> list[Figure]:
    """The tools' share of a prompt through the bridge, beside showing them all."""
    bridged, shown = (len(prompt_bytes(shown_tools(how, many_tools(count)))) for how in ("bridge", "all"))
    return [Figure(f"{count} tools in the prompt, beside all of their schemas", "bytes", bridged, shown, limit=BUDGET_BYTES)]


async def measure_prefix(place: Path) -> list[Figure]:
    """Play every scene, and count."""
    plain = [Say("It is so.") for _ in range(10)]
    growing = [Say("It is so.", usage={"prompt_tokens": min(500 * (number + 1), SMALL_CONTEXT)}) for number in range(10)]
    thinking = [Say(calls=[(READ, '{"title":  "tea"}')], reasoning="First the calendar."), Say("Tea.", reasoning="Tea, then.")] * 2
    found = [Say(calls=[("find_tools", {"query": "strange"})]), Say(calls=[("call_tool", {"name": "strange", "arguments": {}})]), ANSWER]
    writing = [Say(calls=[(WRITE, {"title": "tea"})]), ANSWER]
    scenes = [
        Scene("ten turns", plain, 10),
        Scene("two turns with thoughts", thinking, 2),
        Scene("tools that are found late", [*found, *found], 2, shown="bridge", first=_Many),
        Scene("other permissions", [*writing, *writing], 2, is_granting=True),
        Scene("a restart with shuffled tools", [*writing, *writing], 2, second=_Shuffled),
        Scene("midnight", [*writing, *writing, *writing], 3),
        Scene("another conversation in between", plain[:4], 4, is_disturbed=True),
        Scene("what leaves a full view", growing, 10, text=LONG, n_ctx=SMALL_CONTEXT),
    ]
    return [await _played(scene, place / str(number)) for number, scene in enumerate(scenes)]


async def _played(scene: Scene, place: Path) -> Figure:
    left, bodies, session = list(scene.says), list[bytes](), ""
    lives = [(scene.first, range(scene.turns))]
    if scene.second is not None:
        lives = [(scene.first, range(1)), (scene.second, range(1, scene.turns))]
    for tools, turns in lives:
        async with _agent(place, tools(), scene, session) as agent:
            session = agent.session
            for turn in turns:
                grants = frozenset({"write"}) if scene.is_granting and turn % 2 else frozenset[Any]()
                bodies += await _turn(agent, left, scene.text, grants)
                if scene.is_disturbed:
                    agent.session = await agent.runtime.open_session()
                    await _turn(agent, [ANSWER], "a title for this", frozenset())
                    agent.session = session
    anew, whole = read_anew(bodies, scene.says)
    return Figure(f"{scene.name}: read again of {whole} bytes", "bytes", anew, limit=None if scene.n_ctx == SMALL_CONTEXT else 1)


async def _turn(agent: Agent, left: list[Say], text: str, grants: frozenset[Any]) -> list[bytes]:
    agent.model.bodies.clear()
    agent.model.script = lambda _request: left.pop(0)
    events = await agent.ask(text, agent.answer(granted=True), grants=grants)
    if events[-1].type != "turn_done":
        raise RuntimeError(f"the turn ended with {events[-1]}")
    return list(agent.model.bodies)


@asynccontextmanager
async def _agent(place: Path, tools: MemoryTools, scene: Scene, session: str) -> AsyncGenerator[Agent]:
    settings = AgentSettings(agent=AgentSection(tools=scene.shown))
    async with scripted_model([]) as model:
        model.meta = {"n_ctx": scene.n_ctx}
        zone = _Clock("Europe/Berlin", BERLIN)
        home = Home.at(place)
        async with open_runtime(home, settings, engine_url=model.url, engine_key=None, tools=tools, zone=zone) as runtime:
            yield Agent(runtime, model, tools, await runtime.open_session(resume=session or None))


def _common(old: bytes, new: bytes) -> int:
    if new.startswith(old):
        return len(old)
    return next((at for at, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), min(len(old), len(new)))


def _replayed(following: bytes, say: Say) -> tuple[int, bool]:
    """Bytes of what was answered, as it stands in the next request, and whether that is what was generated."""
    message, end = json.JSONDecoder().raw_decode(following.decode().removeprefix(","))
    arguments = [call["function"]["arguments"] for call in message.get("tool_calls", ())]
    generated = [given if isinstance(given, str) else json.dumps(given) for _, given in say.calls]
    is_same = (message["content"], message.get("reasoning_content", ""), arguments) == (say.text, say.reasoning, generated)
    return end + 1, message["role"] == "assistant" and is_same
