"""Dialogues without end: a seed becomes the tools, a system prompt and conversations, written out by the shipped chat template.

The tool list and the messages come out of the product's own code (`agent.view.prompt`, the servers' catalogue and shapes), so what the
model is trained on is what the agent sends. `python -m nano.generate` prints a few.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from agent.view.prompt import SYSTEM_PROMPT, canonical_json, tool_schemas
from mcp_servers.catalogue import core_tools
from nano import names, results
from nano.dialogue import Dialogue
from nano.intents import GOES_ON, NEEDS_BLANK_HISTORY, WEIGHTS
from nano.names import real

SERVERS = {"calendars": 0.93, "mail": 0.9, "outbox": 0.88, "searxng": 0.85}
"""How often each server's tools are there when the set is not complete."""
MAX_TOOLS = 16
"""The most tools that the model is trained to see."""


@dataclass(frozen=True)
class Pack:
    """One prefix and the conversations that share it: each a list of (text, is learned)."""

    prefix: str
    dialogues: list[list[tuple[str, bool]]]
    is_one_chat: bool
    """The conversations follow each other in one session, instead of each standing alone after the prefix."""


@cache
def _template() -> jinja2.Template:
    return jinja2.Environment().from_string(Path(__file__).with_name("template.jinja").read_text(encoding="utf-8"))


def served_tools(names: list[str] | None = None) -> list[dict[str, Any]]:
    """The `tools` array exactly as the agent sends it, of the tools named (default: all)."""
    tools = [t for t in core_tools() if names is None or t["name"] in names]
    return json.loads(canonical_json(tool_schemas(tools)))


def render(messages: list[dict[str, Any]], tools: list[dict[str, Any]], *, ask: bool = False) -> str:
    """What the server makes of a request with the shipped template."""
    return _template().render(messages=messages, tools=tools, add_generation_prompt=ask)


def _made_up_tool(rng: random.Random) -> dict[str, Any]:
    params = [names.made_up(rng, 1).lower() or "x" for _ in range(rng.choice((0, 1, 2, 3)))]
    properties = {p: {"type": "string"} for p in sorted(params)}
    name = f"{names.made_up(rng, 2)}_{names.made_up(rng, 2)}"
    return {
        "type": "function",
        "function": {
            "name": name,
            "description": "",
            "parameters": {"properties": properties, "required": sorted(params[:1]), "type": "object"},
        },
    }


def tool_set(rng: random.Random) -> tuple[list[str], list[dict[str, Any]]]:
    """Names that the product has in this pack, and the whole array with distractors."""
    if rng.random() < real(rng, 0.88):
        names = [t["name"] for t in core_tools()]
    else:
        servers = [s for s, p in SERVERS.items() if rng.random() < p - 0.25] or [rng.choice(list(SERVERS))]
        names = [t["name"] for t in core_tools() if t["server"] in servers]
    array = served_tools(names)
    if rng.random() < 0.08:
        array += [_made_up_tool(rng) for _ in range(rng.randint(1, MAX_TOOLS - len(array)))]
        array.sort(key=lambda t: t["function"]["name"])
    if rng.random() < 0.06:
        rng.shuffle(array)
    return names, array


def dialogue(
    rng: random.Random, names: list[str], *, is_one_chat: bool, goes_on: bool = True, learned: Collection[str] = frozenset()
) -> Dialogue:
    """One conversation; in a chat that goes on, none whose meaning would hang on what came before ("move it").

    Args:
        rng: decides everything.
        names: the tools that the product has.
        is_one_chat: whether something was said before.
        goes_on: whether more than its first act is wanted; then those with several requests come twice as often.
        learned: lines of the banks that come less often.
    """
    d = Dialogue(rng, names, results.some_now(rng), learned=learned)
    choices = [(i, w * 2.5 if goes_on and i in GOES_ON else w) for i, w in WEIGHTS if not (is_one_chat and i in NEEDS_BLANK_HISTORY)]
    intents, weights = zip(*choices, strict=True)
    rng.choices(intents, weights)[0](d)
    return d


def segments(messages: list[dict[str, Any]]) -> list[tuple[str, bool]]:
    """The rendered turns; what the model writes itself (up to and with its stop token) is learned."""
    out: list[tuple[str, bool]] = []
    for message in messages:
        text = render([message], [])
        text = text.removeprefix("<|system|><|end|>")
        if message["role"] == "assistant":
            out += [("<|assistant|>", False), (text.removeprefix("<|assistant|>"), True)]
        else:
            out.append((text, False))
    return out


def pack(seed: int, *, chars: int, longest: int | None = None) -> Pack:
    """Conversations of about `chars` characters in all behind one prefix.

    Args:
        seed: of everything in it.
        chars: what it is filled up to.
        longest: conversations of more characters are left out.
    """
    rng = random.Random(seed)
    names, array = tool_set(rng)
    prefix = render([{"role": "system", "content": SYSTEM_PROMPT}], array)
    dialogues: list[list[tuple[str, bool]]] = []
    is_one_chat = rng.random() < 0.35
    total = 0
    while total < chars:
        d = dialogue(rng, names, is_one_chat=is_one_chat)
        if not d.messages or d.messages[-1]["role"] != "assistant":
            continue
        turns = segments(d.messages)
        size = sum(len(t) for t, _ in turns)
        if longest is None or size <= longest:
            dialogues.append(turns)
            total += size
    return Pack(prefix, dialogues, is_one_chat)


if __name__ == "__main__":
    start = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    shown = pack(start, chars=6000)
    sys.stdout.write(shown.prefix + "\n")
    for item in shown.dialogues:
        sys.stdout.write("\n" + "".join(t for t, _ in item).replace("<|end|>", "<|end|>\n") + "\n")
