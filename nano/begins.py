"""Every line of the banks that a conversation can begin with, and the conversation that it begins; the list of those that are learned.

Most lines are learned long before the last; from then on a batch drawn evenly would mostly repeat what is known.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mcp_servers.catalogue import core_tools
from nano import grammar, results, schedule
from nano.dialogue import Dialogue
from nano.intents import WEIGHTS, Intent
from nano.names import Plain

FILE = "learned.txt"
PLAIN_BANKS = ("cannot", "web_question")
"""Banks whose lines are one kind: none of them marks its arguments, and there is no second bank of whole ones."""


@dataclass
class _Given(Dialogue):
    """A conversation in which the first request is one line of one bank."""

    name: str = ""
    line: str = ""

    def picked(self, name: str) -> tuple[str, bool]:
        if name == self.name and not self.messages:
            return self.line, name not in PLAIN_BANKS
        return super().picked(name)


@dataclass
class _Listening(Dialogue):
    """A conversation that remembers which bank was asked first."""

    asked: str = ""

    def picked(self, name: str) -> tuple[str, bool]:
        self.asked = self.asked or name
        return super().picked(name)


@cache
def intents() -> dict[str, Intent]:
    """Which intent begins with a line of which bank.

    Not among them: follow-ups, which begin with another bank's line, and requests that are put together without a bank.
    """
    out: dict[str, Intent] = {}
    names = [t["name"] for t in core_tools()]
    for intent, _ in WEIGHTS:
        d = _Listening(random.Random(0), names, results.some_now(random.Random(0)))
        intent(d)
        if d.asked:
            out.setdefault(d.asked, intent)
    return out


def requests() -> Iterator[tuple[str, str]]:
    """Every line that a conversation can begin with, with the name of its bank."""
    begins = intents()
    for name in (*grammar.whole_banks(), *PLAIN_BANKS):
        if name in begins:
            yield from ((name, line) for line in grammar.lines(name if name in PLAIN_BANKS else grammar.WHOLE + name))


def begun(name: str, line: str, number: int) -> Dialogue:
    """The conversation with all tools that begins with this line of bank `name`; `number` decides what its slots are filled with."""
    rng = Plain(schedule.SEED + number)
    d = _Given(rng, [t["name"] for t in core_tools()], results.some_now(rng), name=name, line=line)
    intents()[name](d)
    return d


def write(learned: set[str], folder: Path) -> None:
    """Keep the list of learned lines in the folder."""
    (folder / FILE).write_text("\n".join(sorted(learned)) + "\n", encoding="utf-8")


def read(folder: Path) -> frozenset[str]:
    """The lines that were learned when they were sifted last; none before."""
    file = folder / FILE
    return frozenset(file.read_text(encoding="utf-8").splitlines()) if file.exists() else frozenset()
