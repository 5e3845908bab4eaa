"""Our agent in a process of its own, asked for one turn of so many steps: `python -m bench.agent_child FOLDER URL STEPS`.

It prints, as JSON, what the turn took of this process's CPU; with 0 steps it lets go of a stream after a second, and prints when.
Everything is there that there is in service: the log on the disk, the book, the policy, routing. Only the tool is not in a process of its
own, as the peers' are not.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

import anyio

from agent.events import TURN_ENDS
from agent.safety.manifest import facts_of
from agent.sessions.session import Runtime, open_runtime
from agent.tools.served import ToolResult
from agent.tools.toolbox import Tool, Toolbox
from bench.agent_peers import CANCEL_AFTER_S
from bench.agent_server import SLOW, TOOL
from config.paths import Home
from config.schema import AgentSection, AgentSettings

INTEGER = {"type": "integer"}
SCHEMA = {"type": "object", "properties": {"a": INTEGER, "b": INTEGER}, "required": ["a", "b"], "additionalProperties": False}


class Adding(Toolbox):
    """One tool, in this process, of the class that tools mostly are: it reads what others may have written."""

    def __init__(self) -> None:
        super().__init__([])

    async def tools(self) -> tuple[Tool, ...]:
        return (Tool(TOOL, "calendars", TOOL, "Add two numbers.", SCHEMA, facts_of("calendars", "list_events", {})),)

    async def call(self, name: str, arguments: Mapping[str, Any], *, meta: Mapping[str, Any], is_read: bool, **_more: Any) -> ToolResult:
        return ToolResult(str(arguments["a"] + arguments["b"]), is_error=False)


async def _measure(place: Path, url: str, steps: int) -> dict[str, float]:
    # More steps than a person may set: the peers' limits are raised too.
    section = AgentSection(zone="Europe/Berlin", tools="core").model_copy(update={"max_steps": steps + 1})
    settings = AgentSettings(agent=section)
    async with open_runtime(Home.at(place), settings, engine_url=url, engine_key=None, tools=Adding()) as runtime:
        await _turn(runtime, 1)
        if not steps:
            return {"cancelled_at": await _cancel(runtime)}
        before = time.process_time()
        await _turn(runtime, steps)
        spent = time.process_time() - before
    return {"cpu_s": spent, "rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


async def _cancel(runtime: Runtime) -> float:
    session = await runtime.open_session()
    await runtime.send(session, SLOW, who="bench")
    await anyio.sleep(CANCEL_AFTER_S)
    at = time.monotonic()
    await runtime.cancel(session, who="bench")
    return at


async def _turn(runtime: Runtime, steps: int) -> None:
    """One turn in a conversation of its own, with everybody who listens hearing all of it."""
    session, ran, ended = await runtime.open_session(), 0, None
    await runtime.send(session, f"turns {steps}", who="bench")
    async with aclosing(runtime.events(session)) as events:
        async for event in events:
            ran += event.type == "tool_finished" and event.ok
            if event.type in TURN_ENDS or event.type == "approval_needed":
                ended = event
                break
    if ended is None or ended.type != "turn_done" or ran != steps:
        raise RuntimeError(f"{ran} of {steps} calls ran, and the turn ended with {ended}")


if __name__ == "__main__":
    print(json.dumps(anyio.run(_measure, Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))))
