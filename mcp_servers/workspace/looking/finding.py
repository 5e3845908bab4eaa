"""Which lines of a text match: words as they are, or a regular expression that may take its time and no more."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, cast

from mcp_servers.errors import Refusal
from mcp_servers.protocol import progress

WORKER = Path(__file__).with_name("regex_worker.py")
REGEX_BOUND_S = 10.0
"""For all files of one search. An honest expression needs a fraction of it."""
_END_BOUND_S = 2.0


class Finder(Protocol):
    """Says which lines match."""

    def found(self, lines: Sequence[str]) -> list[tuple[int, int]]:
        """Their numbers, from 1, and where in the line the match begins, from 0."""
        ...


class Words:
    """The words themselves, anywhere in a line."""

    def __init__(self, words: str, *, ignores_case: bool) -> None:
        self._ignores_case = ignores_case
        self._words = words.casefold() if ignores_case else words

    def found(self, lines: Sequence[str]) -> list[tuple[int, int]]:
        starts = ((line.casefold() if self._ignores_case else line).find(self._words) for line in lines)
        return [(number, start) for number, start in enumerate(starts, 1) if start >= 0]


class _Expression:
    def __init__(self, worker: subprocess.Popen[bytes]) -> None:
        self._worker = worker

    def ask(self, value: object) -> object:
        """One line there, one line back.

        Raises:
            Refusal: no answer came in time.
        """
        late = Refusal("The regular expression takes too long. Make it simpler, or search a smaller folder.")
        if self._worker.stdin is None or self._worker.stdout is None:
            raise RuntimeError("the worker was started without pipes")
        try:
            self._worker.stdin.write(json.dumps(value).encode() + b"\n")
            self._worker.stdin.flush()
        except OSError as error:
            raise late from error
        with progress.ends(self._worker.kill):
            answer = self._worker.stdout.readline()
        progress.check()
        if not answer.endswith(b"\n"):
            raise late
        return json.loads(answer)

    def found(self, lines: Sequence[str]) -> list[tuple[int, int]]:
        return [(number, start) for number, start in cast("list[list[int]]", self.ask(list(lines)))]


@contextmanager
def expression(pattern: str, *, ignores_case: bool) -> Generator[Finder]:
    """A regular expression of Python's, in a process that ends with the search.

    Raises:
        Refusal: it is none, or takes too long.
    """
    command = [sys.executable, "-I", "-S", str(WORKER)]
    worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={})
    bound = threading.Timer(REGEX_BOUND_S, worker.kill)
    bound.daemon = True
    bound.start()
    try:
        finder = _Expression(worker)
        problem = cast("dict[str, str]", finder.ask({"pattern": pattern, "ignore_case": ignores_case})).get("problem")
        if problem:
            raise Refusal(f"The regular expression cannot be read: {problem}. Mend it, or search for the words as they are.")
        yield finder
    finally:
        bound.cancel()
        worker.kill()
        for pipe in (worker.stdin, worker.stdout):
            if pipe is not None:
                _close(pipe)
        worker.wait(_END_BOUND_S)


def _close(pipe: object) -> None:
    try:
        pipe.close()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    except OSError:
        # What was not yet written goes nowhere: the worker is dead.
        return
