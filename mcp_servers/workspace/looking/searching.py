"""A search through the workspace's text files: ripgrep says where when it is there, and every line shown is read here, inside the roots."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from itertools import groupby

from mcp_servers.errors import Refusal
from mcp_servers.protocol import progress
from mcp_servers.workspace.folders.access import MAX_TEXT_BYTES, Workspace
from mcp_servers.workspace.folders.textual import Text, body_of, decoded, end_of, visible
from mcp_servers.workspace.folders.walking import Walk
from mcp_servers.workspace.looking import ripgrep
from mcp_servers.workspace.looking.finding import REGEX_BOUND_S, Finder, Words, expression
from mcp_servers.workspace.looking.forms import Form
from mcp_servers.workspace.looking.long_files import LongFile
from mcp_servers.workspace.model import Match, Place

MAX_MATCHES = 100
MAX_FILE_BYTES = 2 * 1024 * 1024
"""A longer file is data, not source, and is searched where it is named alone."""
MAX_BYTES = 128 * 1024 * 1024
"""Read in one search of several files, and kept of a long one."""
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
    """Only files of this form."""
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
    """Files that are binary, too long, secret, or could not be read; with ripgrep the secret and the binary ones are not counted."""
    too_long: list[str] = field(default_factory=list[str])
    """Those of them that can be searched by themselves."""
    is_formless: bool = False
    """No file has the form that was asked for."""
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
        found = self._workspace.look(wanted.top)
        if found is None:
            raise Refusal(f"There is no {wanted.top.shown}. Look with list_files.")
        form = Form(wanted.glob, wanted.top)
        if found.kind != "folder":
            return self._in_file(wanted, form, is_long=found.size > MAX_TEXT_BYTES)
        return self._by_ripgrep(wanted, form, self._rg) if self._rg else self._by_walking(wanted, form)

    def _in_file(self, wanted: Wanted, form: Form, *, is_long: bool) -> Result:
        result = Result(is_formless=not form.fits(wanted.top))
        if result.is_formless:
            return result
        with _finder(wanted) as finder:
            if is_long:
                self._add_long(result, wanted, finder)
            else:
                self._add(result, wanted.top, wanted, finder, max_bytes=MAX_TEXT_BYTES)
        if len(result.matches) >= MAX_MATCHES:
            result.stopped = MORE
        return result

    def _by_walking(self, wanted: Wanted, form: Form) -> Result:
        result = Result(is_formless=True)
        give_up_at = self._clock() + BOUND_S
        budget = MAX_BYTES
        with _finder(wanted) as finder:
            walk = Walk(self._workspace)
            for place, size in self._candidates(wanted, walk):
                if not form.fits(place):
                    continue
                result.is_formless = False
                progress.check()
                progress.say(f"{result.files} files searched")
                budget -= min(size, MAX_FILE_BYTES)
                if budget < 0 or self._clock() > give_up_at:
                    result.stopped = NOT_ALL
                    break
                if size > MAX_FILE_BYTES:
                    self._leave_out(result, place)
                else:
                    self._add(result, place, wanted, finder)
                if len(result.matches) >= MAX_MATCHES:
                    result.stopped = MORE
                    break
            result.left_out += len(walk.unread)
            if walk.is_cut and not result.stopped:
                result.stopped = NOT_ALL
            result.is_formless = result.is_formless and not result.stopped and not walk.unread
        return result

    def _candidates(self, wanted: Wanted, walk: Walk) -> Iterator[tuple[Place, int]]:
        return ((step.place, step.entry.size) for step in walk.below(wanted.top) if step.entry.kind == "file")

    def _by_ripgrep(self, wanted: Wanted, form: Form, rg: str) -> Result:
        result = Result()
        found = ripgrep.hits(
            rg, self._workspace.path(wanted.top), wanted.pattern, MAX_FILE_BYTES, is_regex=wanted.is_regex, ignores_case=wanted.ignores_case
        )  # fmt: skip
        walk = Walk(self._workspace)
        try:
            with ExitStack() as begun:
                finder = _Late(wanted, begun) if wanted.is_regex else Words(wanted.pattern, ignores_case=wanted.ignores_case)
                for path, hits in groupby(found, key=lambda hit: hit.path):
                    place = self._workspace.below(wanted.top, *path.split(os.sep))
                    if not self._is_open(place) or not form.fits(place) or walk.leaves_out(place, wanted.top):
                        continue
                    progress.say(f"{result.files} files with matches")
                    self._add(result, place, wanted, finder, [(hit.number, hit.start) for hit in hits] if wanted.is_regex else None)
                    if len(result.matches) >= MAX_MATCHES:
                        result.stopped = MORE
                        break
            if not result.stopped:
                self._count_unread(result, wanted, form, walk, rg)
        except TimeoutError:
            result.stopped = NOT_ALL
        except ValueError as error:
            raise Refusal(f"The regular expression cannot be read: {error}. Mend it, or search for the words as they are.") from error
        return result

    def _count_unread(self, result: Result, wanted: Wanted, form: Form, walk: Walk, rg: str) -> None:
        """What ripgrep has passed over for its length without a word, and whether any file has the form at all."""
        folder = self._workspace.path(wanted.top)
        try:
            every = list(ripgrep.files(rg, folder))
            short = set(ripgrep.files(rg, folder, MAX_FILE_BYTES))
        except (ValueError, TimeoutError):  # it has searched all the same
            return
        give_up_at = self._clock() + ripgrep.FILES_BOUND_S
        for path in every:
            if path in short:
                continue
            place = self._workspace.below(wanted.top, *path.split(os.sep))
            if self._clock() > give_up_at:
                return
            if form.fits(place) and self._is_open(place) and not walk.leaves_out(place, wanted.top):
                self._leave_out(result, place)
        if wanted.glob and not result.matches:
            for path in every:
                place = self._workspace.below(wanted.top, *path.split(os.sep))
                if self._clock() > give_up_at or (form.fits(place) and not walk.leaves_out(place, wanted.top)):
                    return
            result.is_formless = True

    def _leave_out(self, result: Result, place: Place) -> None:
        """Count a file that is too long to be searched with others, and name it if it can be searched alone."""
        result.left_out += 1
        if self._is_open(place):
            result.too_long.append(place.shown)

    def _is_open(self, place: Place) -> bool:
        """Whether a hit of ripgrep may count for anything: the bare number of those left out would tell what a file holds."""
        if self._workspace.is_private(place) or self._workspace.is_secret(place):
            return False
        try:
            found = self._workspace.look(place)
        except Refusal:
            return False
        return found is not None and (found.names == 1 or self._workspace.rights.hard_links)

    def _add(
        self,
        result: Result,
        place: Place,
        wanted: Wanted,
        finder: Finder,
        given: list[tuple[int, int]] | None = None,
        max_bytes: int = MAX_FILE_BYTES,
    ) -> None:
        """Add a file's lines; `given` are those that ripgrep found by an expression of its own kind."""
        text = self._text(place, max_bytes)
        if text is None:
            result.left_out += 1
            return
        lines = [body_of(line) for line in text.lines]
        if given is None:
            found = finder.found(lines)
        elif all(end_of(line) != "\r" for line in text.lines):  # else both count differently: there a lone CR ends no line
            found = [(number, start) for number, start in given if number <= len(lines)]
        else:
            try:
                found = finder.found(lines)
            except Refusal:  # only ripgrep can read it, or only ripgrep is quick enough
                result.left_out += 1
                return
        result.files += 1
        for number, start in found[: MAX_MATCHES - len(result.matches)]:
            at = number - 1
            before, after = lines[max(0, at - wanted.context) : at], lines[at + 1 : at + 1 + wanted.context]
            result.matches.append(Match(place, number, lines[at], tuple(before), tuple(after), start))

    def _add_long(self, result: Result, wanted: Wanted, finder: Finder) -> None:
        """Add the lines of the one file that is searched, as far as the time goes."""
        # Half of what an expression may take, so that it ends with what was found and not with nothing.
        give_up_at = self._clock() + (min(BOUND_S, REGEX_BOUND_S / 2) if wanted.is_regex else BOUND_S)
        with ExitStack() as opened:
            try:
                chunks = opened.enter_context(self._workspace.reading(wanted.top))
            except (Refusal, OSError):
                result.left_out += 1
                return
            file = LongFile(wanted.top, chunks)
            held = 0
            try:
                for found in file.matches(finder.found, wanted.context, MAX_MATCHES):
                    progress.check()
                    progress.say(f"{file.searched} lines searched")
                    result.matches += found[: MAX_MATCHES - len(result.matches)]
                    held += sum(len(line) for match in found for line in (*match.before, match.line, *match.after))
                    if len(result.matches) >= MAX_MATCHES or held > MAX_BYTES or self._clock() > give_up_at:
                        break
            except OSError:  # of the disk, while it was read
                result.left_out += 1
        result.left_out += not file.is_text
        if file.is_text and not file.is_whole and len(result.matches) < MAX_MATCHES:
            name = visible(wanted.top.shown)
            result.stopped = f"{name} was searched up to line {file.searched} only. Run a command that searches the rest."

    def _text(self, place: Place, max_bytes: int) -> Text | None:
        try:
            return decoded(self._workspace.read(place, max_bytes).data)
        except (Refusal, OSError):
            return None


class _Late:
    """An expression as it is read here, in a process that begins with the first file that needs it."""

    def __init__(self, wanted: Wanted, begun: ExitStack) -> None:
        self._wanted = wanted
        self._begun = begun
        self._finder: Finder | None = None

    def found(self, lines: Sequence[str]) -> list[tuple[int, int]]:
        if self._finder is None:
            self._finder = self._begun.enter_context(expression(self._wanted.pattern, ignores_case=self._wanted.ignores_case))
        return self._finder.found(lines)


def _finder(wanted: Wanted) -> AbstractContextManager[Finder]:
    if wanted.is_regex:
        return expression(wanted.pattern, ignores_case=wanted.ignores_case)
    return nullcontext(Words(wanted.pattern, ignores_case=wanted.ignores_case))
