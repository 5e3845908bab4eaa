"""Scores the shipped model on conversations that it was not trained on: `python -m nano.evaluate`.

Exact acts and exact replies, by intent.

Every assistant turn of a held-out conversation is asked for at temperature 0 with the true history before it, through the server's
own chat endpoint, so template, grammar and parser are judged with the weights.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import httpx2

from agent.view.prompt import SYSTEM_PROMPT
from nano import generate, intents, results
from nano.dialogue import Dialogue
from nano.judge import engine

HELD_OUT = 10**9
"""Seeds from here on are never trained on."""
TIMEOUT_S = 120.0
"""A reply of a model of this size takes seconds on one busy core."""
SHOWN = 60
"""Mistakes written out."""


def asked(client: httpx2.Client, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> dict[str, Any]:
    """The message that the model writes next at temperature 0."""
    body = {"model": "fast", "messages": messages, "tools": tools, "temperature": 0, "max_tokens": 400, "parallel_tool_calls": True}
    answer = client.post("/v1/chat/completions", json=body, timeout=TIMEOUT_S)
    answer.raise_for_status()
    return answer.json()["choices"][0]["message"]


def acts_of(message: dict[str, Any]) -> list[tuple[str, str]]:
    """Names and canonical arguments of the calls of a message."""
    calls = [c["function"] for c in message.get("tool_calls") or []]
    return [(c["name"], json.dumps(_parsed(c["arguments"]), sort_keys=True)) for c in calls]


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="a GGUF file (default: the shipped one)")
    parser.add_argument("--per-intent", type=int, default=8)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    names = [t["name"] for t in generate.core_tools()]
    tools = generate.served_tools()
    right: dict[str, list[bool]] = defaultdict(list)
    wrong: list[str] = []
    with (
        tempfile.TemporaryDirectory(prefix="variet-evaluate-") as folder,
        engine(args.model, Path(folder)) as url,
        httpx2.Client(base_url=url, trust_env=False) as client,
    ):
        for intent, _ in intents.WEIGHTS:
            for i in range(args.per_intent):
                d = Dialogue(rng := random.Random(HELD_OUT + i), names, results.some_now(rng))
                intent(d)
                history: list[dict[str, Any]] = [{"role": "system", "content": SYSTEM_PROMPT}]
                for message in d.messages:
                    if message["role"] == "assistant":
                        got = asked(client, history, tools)
                        is_right = acts_of(got) == acts_of(message) and (got.get("content") or "").strip() == message["content"].strip()
                        right[intent.__name__].append(is_right)
                        if not is_right:
                            wrong.append(
                                json.dumps(
                                    {
                                        "intent": intent.__name__,
                                        "after": history[-1]["content"],
                                        "want": acts_of(message) or message["content"],
                                        "got": acts_of(got) or got.get("content"),
                                    },
                                    ensure_ascii=False,
                                )
                            )
                    history.append(message)
    scores = {name: round(sum(marks) / len(marks), 4) for name, marks in right.items()}
    every = [mark for marks in right.values() for mark in marks]
    report = {"turns": len(every), "exact": round(sum(every) / len(every), 4), "by_intent": scores}
    sys.stdout.write(json.dumps(report, indent=1) + "\n" + "\n".join(wrong[:SHOWN]) + "\n")
    if args.out:
        args.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
