"""A search through the workspace's text files: ripgrep says where when it is there, and every line shown is read here, inside the roots."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import groupby

from mcp_servers.errors import Refusal
from mcp_servers.protocol import progress
from mcp_servers.workspace import ripgrep
from mcp_servers.workspace.access import Workspace
from mcp_servers.workspace.finding import Finder, Words, expression
from mcp_servers.workspace.model import Match, Place
from mcp_servers.workspace.textual import body_of, decoded
from mcp_servers.workspace.walking import Walk

MAX_MATCHES = 100
MAX_FILE_BYTES = 2 * 1024 * 1024
"""A longer file is data, not source."""
MAX_BYTES = 128 * 1024 * 1024
"""Read in one search."""
BOUND_S = 20.0
MAX_CONTEXT = 10
MORE = f"There may be more: only {MAX_MATCHES} matches are shown. Narrow the search."
NOT_ALL = "Not all files were searched. Search a smaller folder."


@dataclass(frozen=True)
class Wanted:
    """What is searched for, and where."""

    pattern: str
    top: Place
    glob: str = ""
    """Only files whose name or path it matches."""
    is_regex: bool = False
    ignores_case: bool = False
    context: int = 0
    """Lines shown around each match."""


@dataclass
class Result:
    """What was found, and how far the search came."""

    matches: list[Match] = field(default_factory=list[Match])
    files: int = 0
    """Files read."""
    left_out: int = 0
    """Files that are binary, too long, secret, or could not be read."""
    stopped: str = ""
    """Why it ended before the end."""


class Search:
    """One search.

    Args:
        workspace: where.
        rg: ripgrep's program, or None to go without.
        clock: seconds that only grow.
    """

    def __init__(self, workspace: Workspace, rg: str | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._workspace = workspace
        self._rg = rg
        self._clock = clock

    def run(self, wanted: Wanted) -> Result:
        """Search.

        Raises:
            Refusal: the pattern cannot be read, or takes too long.
        """
        self._workspace.check(wanted.top)
        return self._by_ripgrep(wanted, self._rg) if self._rg and not self._is_file(wanted.top) else self._by_walking(wanted)

    def _by_walking(self, wanted: Wanted) -> Result:
        result = Result()
        give_up_at = self._clock() + BOUND_S
        budget = MAX_BYTES
        words = Words(wanted.pattern, ignores_case=wanted.ignores_case)
        with expression(wanted.pattern, ignores_case=wanted.ignores_case) if wanted.is_regex else nullcontext(words) as finder:
            walk = Walk(self._workspace)
            for place, size in self._candidates(wanted, walk):
                if not _is_in_glob(place, wanted.glob):
                    continue
                progress.check()
                progress.say(f"{result.files} files searched")
                budget -= size
                if budget < 0 or self._clock() > give_up_at:
                    result.stopped = NOT_ALL
                    break
                self._add(result, place, wanted, finder)
                if len(result.matches) >= MAX_MATCHES:
                    result.stopped = MORE
                    break
            result.left_out += len(walk.unread)
            if walk.is_cut and not result.stopped:
                result.stopped = NOT_ALL
        return result

    def _candidates(self, wanted: Wanted, walk: Walk) -> Iterator[tuple[Place, int]]:
        if self._is_file(wanted.top):
            yield wanted.top, 0
            return
        for step in walk.below(wanted.top):
            if step.entry.kind == "file":
                yield step.place, min(step.entry.size, MAX_FILE_BYTES)

    def _is_file(self, top: Place) -> bool:
        found = self._workspace.look(top)
        if found is None:
            raise Refusal(f"There is no {top.shown}. Look with list_files.")
        return found.kind != "folder"

    def _by_ripgrep(self, wanted: Wanted, rg: str) -> Result:
        result = Result()
        found = ripgrep.hits(
            rg, self._workspace.path(wanted.top), wanted.pattern, is_regex=wanted.is_regex, ignores_case=wanted.ignores_case
        )  # fmt: skip
        try:
            for path, lines in groupby(found, key=lambda hit: hit.path):
                place = self._workspace.below(wanted.top, *path.split(os.sep))
                if self._workspace.is_private(place) or not _is_in_glob(place, wanted.glob):
                    continue
                progress.say(f"{result.files} files with matches")
                self._add(result, place, wanted, _Given([hit.number for hit in lines]))
                if len(result.matches) >= MAX_MATCHES:
                    result.stopped = MORE
                    break
        except TimeoutError:
            result.stopped = NOT_ALL
        except ValueError as error:
            raise Refusal(f"The regular expression cannot be read: {error}. Mend it, or search for the words as they are.") from error
        return result

    def _add(self, result: Result, place: Place, wanted: Wanted, finder: Finder) -> None:
        lines = self._lines(place)
        if lines is None:
            result.left_out += 1
            return
        result.files += 1
        for number in finder.numbers(lines)[: MAX_MATCHES - len(result.matches)]:
            at = number - 1
            before, after = lines[max(0, at - wanted.context) : at], lines[at + 1 : at + 1 + wanted.context]
            result.matches.append(Match(place, number, lines[at], tuple(before), tuple(after)))

    def _lines(self, place: Place) -> list[str] | None:
        try:
            text = decoded(self._workspace.read(place, MAX_FILE_BYTES).data)
        except (Refusal, OSError):
            return None
        return [body_of(line) for line in text.lines] if text is not None else None


class _Given:
    """Lines that somebody else found; those that the file no longer has are dropped."""

    def __init__(self, given: list[int]) -> None:
        self._given = given

    def numbers(self, lines: Sequence[str]) -> list[int]:
        return [number for number in self._given if number <= len(lines)]


def _is_in_glob(place: Place, glob: str) -> bool:
    if not glob:
        return True
    return fnmatchcase("/".join(place.parts) if "/" in glob else place.name, glob)
