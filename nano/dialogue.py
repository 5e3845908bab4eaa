"""One conversation under construction: what is typed, what is called, what comes back and what is said."""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from agent.view.prompt import user_text
from mcp_servers.catalogue import core_tools
from nano import fill, noise, replies, times
from nano.grammar import Piece, bank, expand, lines

_PARAMS = {
    t["name"]: (
        [p for p in sorted(t["input_schema"]["properties"]) if p in t["input_schema"].get("required", [])]
        + [p for p in sorted(t["input_schema"]["properties"]) if p not in t["input_schema"].get("required", [])]
    )
    for t in core_tools()
}
"""Arguments in the order that llama.cpp's grammar demands: required ones first, each group as the request lists them."""


@dataclass
class Dialogue:
    """Messages in the form in which the agent sends them; `tools` are the names that this conversation has."""

    rng: random.Random
    tools: list[str]
    now: datetime
    messages: list[dict[str, Any]] = field(default_factory=list)
    calls: int = 0
    wording: str = ""
    """What was typed last, without its fillings."""

    def typed(self, name: str, given: dict[str, str] | None = None, *, polite: bool = True) -> dict[str, str]:
        """The person types a request of bank `name`; returns what each slot was as typed."""
        pieces = fill.fill(expand(self.rng.choice(bank(name)), self.rng), self.rng, given)
        self.wording = "".join(p.text for p in pieces if p.slot is None)
        return self.types(_with_on(pieces, self.rng), polite=polite)

    def types(self, pieces: list[Piece], *, polite: bool = True) -> dict[str, str]:
        if polite:
            pieces = _polite(pieces, self.rng)
        out = noise.type_out(pieces, self.rng)
        text = " ".join("".join(p.text for p in out).split(" ")).strip()
        while "  " in text:
            text = text.replace("  ", " ")
        self.now += timedelta(minutes=self.rng.choice((0, 0, 1, 1, 2, 5)))
        self.messages.append({"role": "user", "content": user_text(text, self.now)})
        return {p.slot: _argument(p) for p in out if p.slot is not None}

    @property
    def stamp(self) -> str:
        return self.messages[-1]["content"].split("\n", 1)[0]

    def call(self, tool: str, **arguments: str | bool | None) -> None:
        self.call_all((tool, arguments))

    def call_all(self, *calls: tuple[str, dict[str, str | bool | None]]) -> None:
        """The model calls tools, several at once if there are several."""
        out: list[dict[str, Any]] = []
        for tool, arguments in calls:
            ordered = {p: arguments[p] for p in _PARAMS[tool] if arguments.get(p) not in (None, "")}
            self.calls += 1
            out.append(
                {
                    "id": f"call_{self.calls}",
                    "type": "function",
                    "function": {"name": tool, "arguments": json.dumps(ordered, ensure_ascii=False)},
                }
            )
        self.messages.append({"role": "assistant", "content": "", "tool_calls": out})

    def result(self, text: str) -> None:
        self.messages.append({"role": "tool", "content": text})

    def says(self, text: str) -> None:
        self.messages.append({"role": "assistant", "content": text})

    def answers(self, tool: str, text: str) -> None:
        """A result comes back and is told."""
        self.result(text)
        self.says(replies.reply(tool, text))

    def has(self, *tools: str) -> bool:
        return all(t in self.tools for t in tools)

    def cannot(self) -> None:
        self.says(replies.cannot(self.tools))


_OPEN_ENDED = frozenset({"body", "query"})
"""Slots after which nobody could tell what is added from what is filled in."""


def _polite(pieces: list[Piece], rng: random.Random) -> list[Piece]:
    out = list(pieces)
    if rng.random() < 0.13:
        prefix = fill.fill_text(rng.choice(lines("prefix")), rng)
        opens = prefix.endswith(
            (",", ":", "-", "?", "!", ".", "but", "and", "so", "you", "to", "please", "just", "you to", "me", "could", "can")
        )
        joint = " " if opens or rng.random() < 0.4 else ", "
        out = [Piece(prefix + joint), *out]
    if rng.random() < 0.13 and not (pieces and pieces[-1].slot in _OPEN_ENDED):
        suffix = fill.fill_text(rng.choice(lines("suffix")), rng).lstrip(", ")
        ends = bool(out) and out[-1].text.rstrip().endswith("?")
        out = [*out, Piece(" " if ends else rng.choice((", ", " ", ". "))), Piece(suffix)]
    return out


_BEFORE_ON = re.compile(
    r"(^|calendar|diary|agenda|schedule|it|event|appointment|entry|me|up|i'm|is|in|down|free|busy|available|time|anything)\s+$",
    re.IGNORECASE,
)
"""Words after which people say `on` before a weekday or a date; after a filling they do so too."""


_AFTER_WORD = re.compile(r"\b(for|of|about|does|is|are|at|through|see|show|list|me|check|like|how's|and|so|from|to|did)\s+$", re.IGNORECASE)
"""Words that a period follows without a preposition of its own."""


def _with_on(pieces: list[Piece], rng: random.Random) -> list[Piece]:
    """`on` before weekdays and dates, where people say it; it is not part of the argument."""
    out: list[Piece] = []
    for p in pieces:
        before = out[-1] if out else Piece("")
        if p.slot == "period" and before.slot is None and _AFTER_WORD.search(before.text):
            p = Piece(re.sub(r"^(on|in|at|over|from)\s+(?!the next|a |an )", "", p.text), "period")
        follows_filling = before.slot is None and before.text == " " and len(out) > 1
        if p.slot in _DAY_SLOTS and _is_dated(p.text) and (follows_filling or _BEFORE_ON.search(before.text)) and rng.random() < 0.75:
            out.append(Piece("on "))
        out.append(p)
    return out


_DAY_SLOTS = frozenset({"when", "day", "now_day", "new_when", "new_day", "period"})
_DAY_WORDS = {*times.WEEKDAYS, "mon", "tue", "tues", "wed", "weds", "thu", "thurs", "fri", "sat", "sun"}


def _is_dated(text: str) -> bool:
    words = text.lower().replace(",", "").split()
    if not words:
        return False
    if words[0] in _DAY_WORDS:
        return True
    months = {*times.MONTHS, *(m[:3] for m in times.MONTHS)}
    return (
        words[0] in months
        or (words[0] == "the" and len(words) > 1 and words[1][0].isdigit())
        or (words[0][0].isdigit() and len(words) > 1 and words[1] in months)
    )


def _argument(piece: Piece) -> str:
    """What a slot becomes: as typed, without a leading `on` and without what closes a phrase."""
    text = piece.text.strip().rstrip(",")
    return re.sub(r"^on\s+", "", text, flags=re.IGNORECASE) if piece.slot in _DAY_SLOTS or piece.slot == "past" else text
