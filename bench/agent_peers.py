"""Another agent library, asked for the same turn, in its own environment: `python -m bench.agent_peers NAME URL STEPS`.

Without arguments it prints which libraries are there. Else it prints, as JSON, what the turn took of this process's CPU; with 0 steps it
streams an answer, lets go of it after a second, and prints when. Nothing of Variet is imported here, because none of it is installed there.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.metadata
import json
import os
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

PEERS = {"pydantic-ai": "pydantic-ai-slim", "openai-agents": "openai-agents"}
"""By the name that people know them by, their distribution."""
CANCEL_AFTER_S = 1.0
Ask = Callable[[str, int], Awaitable[str]]
"""A text and how many requests it may take; the answer."""


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def pydantic_ai(url: str) -> Ask:
    """pydantic-ai's agent over chat completions."""
    models, providers = (importlib.import_module(f"pydantic_ai.{name}.openai") for name in ("models", "providers"))
    library: Any = importlib.import_module("pydantic_ai")
    model: Any = models.OpenAIChatModel("fast", provider=providers.OpenAIProvider(base_url=f"{url}/v1", api_key="none"))
    agent = library.Agent(model, tools=[add])

    async def ask(text: str, limit: int) -> str:
        if text.endswith("slowly"):
            async with agent.run_stream(text) as streamed:
                return "".join([piece async for piece in streamed.stream_text(delta=True)])
        return str((await agent.run(text, usage_limits=library.UsageLimits(request_limit=limit))).output)

    return ask


def openai_agents(url: str) -> Ask:
    """openai-agents' runner over chat completions, without its telemetry."""
    os.environ["OPENAI_AGENTS_DISABLE_TRACING"] = "1"
    library: Any = importlib.import_module("agents")
    client: Any = importlib.import_module("openai").AsyncOpenAI(base_url=f"{url}/v1", api_key="none")
    model = library.OpenAIChatCompletionsModel(model="fast", openai_client=client)
    agent = library.Agent(name="bench", model=model, tools=[library.function_tool(add)])

    async def ask(text: str, limit: int) -> str:
        if text.endswith("slowly"):
            return str([event async for event in library.Runner.run_streamed(agent, text).stream_events()])
        return str((await library.Runner.run(agent, text, max_turns=limit)).final_output)

    return ask


def versions() -> dict[str, str]:
    """Of the libraries that are installed here."""
    there: dict[str, str] = {}
    for name, distribution in PEERS.items():
        with suppress(importlib.metadata.PackageNotFoundError):
            there[name] = importlib.metadata.version(distribution)
    return there


async def _measure(name: str, url: str, steps: int) -> dict[str, float]:
    ask = {"pydantic-ai": pydantic_ai, "openai-agents": openai_agents}[name](url)
    await ask("turns 1", 5)
    if not steps:
        return {"cancelled_at": await _cancel(ask)}
    before = time.process_time()
    answer = await ask(f"turns {steps}", steps + 5)
    spent = time.process_time() - before
    if answer != "Done.":
        raise RuntimeError(f"{name} answered {answer}")
    return {"cpu_s": spent, "rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


async def _cancel(ask: Ask) -> float:
    asked = asyncio.ensure_future(ask("slowly", 5))
    await asyncio.wait({asked}, timeout=CANCEL_AFTER_S)
    at = time.monotonic()
    asked.cancel()
    await asyncio.wait({asked}, timeout=CANCEL_AFTER_S)
    return at


if __name__ == "__main__":
    told = asyncio.run(_measure(sys.argv[1], sys.argv[2], int(sys.argv[3]))) if len(sys.argv) > 1 else versions()
    print(json.dumps(told))
