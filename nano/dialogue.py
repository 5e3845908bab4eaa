"""One conversation under construction: what is typed, what is called, what comes back and what is said."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from agent.view.prompt import user_text
from mcp_servers.catalogue import core_tools
from nano import fill, noise, replies
from nano.grammar import WHOLE, Piece, expand, has_patterns, lines, parsed, whole_banks
from nano.joints import DAY_SLOTS, with_on

_PARAMS = {
    t["name"]: (
        [p for p in sorted(t["input_schema"]["properties"]) if p in t["input_schema"].get("required", [])]
        + [p for p in sorted(t["input_schema"]["properties"]) if p not in t["input_schema"].get("required", [])]
    )
    for t in core_tools()
}
"""Arguments in the order that llama.cpp's grammar demands: required ones first, each group as the request lists them."""
WHOLE_SHARE = 0.85
"""How many requests of an intent are whole lines, where it has some."""
_AS_WRITTEN = 0.5
"""How many of these are typed as their writer typed them, case and all."""
LEARNED_SHARE = 0.25
"""How often a line that the model has learned is typed, beside one that it has not."""
_TRIES = 6
"""Draws for a line that is not learned; a bank may have none left."""


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
    learned: Collection[str] = frozenset()
    """Lines of the banks that the model answers right already."""
    asked: str = ""
    """The line of a bank that it began with."""

    def picked(self, name: str) -> tuple[str, bool]:
        """A line of bank `name`, and whether it is a whole one; learned ones come less often. The first is what was asked."""
        is_whole = name in whole_banks() and (self.rng.random() < WHOLE_SHARE or not has_patterns(name))
        every = lines(WHOLE + name if is_whole else name)
        line = self.rng.choice(every)
        for _ in range(_TRIES):
            if line not in self.learned or self.rng.random() < LEARNED_SHARE:
                break
            line = self.rng.choice(every)
        self.asked = self.asked if self.messages else line
        return line, is_whole

    def as_written(self) -> bool:
        """Whether a line is typed as its writer typed it."""
        return self.rng.random() < _AS_WRITTEN

    def typed(self, name: str, given: dict[str, str] | None = None, *, polite: bool = True) -> dict[str, str]:
        """The person types a request of bank `name`, often a whole line of it; returns what each slot was as typed."""
        line, is_whole = self.picked(name)
        pieces = fill.fill(expand(parsed(line), self.rng), self.rng, given)
        self.wording = "".join(p.text for p in pieces if p.slot is None)
        as_written = is_whole and self.as_written()
        return self.types(with_on(pieces, self.rng), polite=polite and not is_whole, as_written=as_written)

    def typed_on(self, name: str, on: str, begins: str) -> dict[str, str]:
        """The person types a whole line of bank `name` that begins so, and goes on with a line of bank `on`.

        Args:
            name: of the first bank.
            on: of the second one, whose lines begin with what joins the two.
            begins: a regular expression that the first line matches from its beginning.
        """
        line = self.rng.choice(_beginning(name, begins))
        first = _without_end(fill.fill(expand(parsed(line), self.rng), self.rng))
        pieces = [*first, *fill.fill(expand(parsed(self.rng.choice(lines(on))), self.rng), self.rng)]
        self.wording = "".join(p.text for p in pieces if p.slot is None)
        return self.types(with_on(pieces, self.rng), polite=False, as_written=self.as_written())

    def types(self, pieces: list[Piece], *, polite: bool = True, as_written: bool = False) -> dict[str, str]:
        if polite:
            pieces = _polite(pieces, self.rng)
        out = pieces if as_written else noise.type_out(pieces, self.rng)
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


@cache
def _beginning(name: str, begins: str) -> tuple[str, ...]:
    """The whole lines of a bank that begin so."""
    return tuple(line for line in lines(WHOLE + name) if re.match(begins, line, re.IGNORECASE))


def _without_end(pieces: list[Piece]) -> list[Piece]:
    """A request without what ends its sentence, so that it can go on."""
    last = pieces[-1]
    text = last.text.rstrip(" .!?" if last.slot is None else " .")
    return [*pieces[:-1], replace(last, text=text)] if text else _without_end(pieces[:-1])


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


_FULL_STOP = re.compile(r"(?<=\w\w)\.$")
"""What ends a sentence, and not `p.m.`."""


def _argument(piece: Piece) -> str:
    """What a slot becomes: as typed, without a leading `on` and without what closes a phrase or the last sentence of a body."""
    text = piece.text.strip().rstrip(",")
    if piece.slot == "body":
        return _FULL_STOP.sub("", text)
    return re.sub(r"^on\s+", "", text, flags=re.IGNORECASE) if piece.slot in DAY_SLOTS or piece.slot == "past" else text
