"""A search through the workspace's text files: ripgrep says where when it is there, and every line shown is read here, inside the roots."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import groupby

from mcp_servers.errors import Refusal
from mcp_servers.protocol import progress
from mcp_servers.workspace.folders.access import Workspace
from mcp_servers.workspace.folders.textual import Text, body_of, decoded, end_of
from mcp_servers.workspace.folders.walking import Walk
from mcp_servers.workspace.looking import ripgrep
from mcp_servers.workspace.looking.finding import Finder, Words, expression
from mcp_servers.workspace.model import Match, Place

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
    """Files that are binary, too long, secret, or could not be read; with ripgrep the secret ones are not counted."""
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
        walk = Walk(self._workspace)
        try:
            with ExitStack() as begun:
                finder = _Late(wanted, begun) if wanted.is_regex else Words(wanted.pattern, ignores_case=wanted.ignores_case)
                for path, hits in groupby(found, key=lambda hit: hit.path):
                    place = self._workspace.below(wanted.top, *path.split(os.sep))
                    if not self._is_open(place) or not _is_in_glob(place, wanted.glob) or walk.leaves_out(place, wanted.top):
                        continue
                    progress.say(f"{result.files} files with matches")
                    self._add(result, place, wanted, finder, [hit.number for hit in hits] if wanted.is_regex else None)
                    if len(result.matches) >= MAX_MATCHES:
                        result.stopped = MORE
                        break
        except TimeoutError:
            result.stopped = NOT_ALL
        except ValueError as error:
            raise Refusal(f"The regular expression cannot be read: {error}. Mend it, or search for the words as they are.") from error
        return result

    def _is_open(self, place: Place) -> bool:
        """Whether a hit of ripgrep may count for anything: the bare number of those left out would tell what a file holds."""
        if self._workspace.is_private(place) or self._workspace.is_secret(place):
            return False
        try:
            found = self._workspace.look(place)
        except Refusal:
            return False
        return found is not None and (found.names == 1 or self._workspace.rights.hard_links)

    def _add(self, result: Result, place: Place, wanted: Wanted, finder: Finder, given: list[int] | None = None) -> None:
        """Add a file's lines; `given` are those that ripgrep found by an expression of its own kind."""
        text = self._text(place)
        if text is None:
            result.left_out += 1
            return
        lines = [body_of(line) for line in text.lines]
        if given is None:
            numbers = finder.numbers(lines)
        elif all(end_of(line) != "\r" for line in text.lines):  # else both count differently: there a lone CR ends no line
            numbers = [number for number in given if number <= len(lines)]
        else:
            try:
                numbers = finder.numbers(lines)
            except Refusal:  # only ripgrep can read it, or only ripgrep is quick enough
                result.left_out += 1
                return
        result.files += 1
        for number in numbers[: MAX_MATCHES - len(result.matches)]:
            at = number - 1
            before, after = lines[max(0, at - wanted.context) : at], lines[at + 1 : at + 1 + wanted.context]
            result.matches.append(Match(place, number, lines[at], tuple(before), tuple(after)))

    def _text(self, place: Place) -> Text | None:
        try:
            return decoded(self._workspace.read(place, MAX_FILE_BYTES).data)
        except (Refusal, OSError):
            return None


class _Late:
    """An expression as it is read here, in a process that begins with the first file that needs it."""

    def __init__(self, wanted: Wanted, begun: ExitStack) -> None:
        self._wanted = wanted
        self._begun = begun
        self._finder: Finder | None = None

    def numbers(self, lines: Sequence[str]) -> list[int]:
        if self._finder is None:
            self._finder = self._begun.enter_context(expression(self._wanted.pattern, ignores_case=self._wanted.ignores_case))
        return self._finder.numbers(lines)


def _is_in_glob(place: Place, glob: str) -> bool:
    if not glob:
        return True
    return fnmatchcase("/".join(place.parts) if "/" in glob else place.name, glob)
