"""Going through the workspace's folders: in order, bounded, leaving out what `.gitignore` files leave out, following no link."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from mcp_servers.errors import Refusal
from mcp_servers.protocol import progress
from mcp_servers.workspace.folders import ignoring
from mcp_servers.workspace.folders.access import MAX_ENTRIES, Workspace
from mcp_servers.workspace.folders.ignoring import Rules
from mcp_servers.workspace.folders.textual import visible
from mcp_servers.workspace.model import Entry, Place

MAX_WALKED = 50_000
"""Names that one walk looks at."""


@dataclass(frozen=True)
class Step:
    """One thing that a walk came past."""

    place: Place
    entry: Entry
    depth: int
    """Folders below where the walk began, from 0."""


class Walk:
    """One walk, folder by folder, the upper ones first. What it left out is counted."""

    def __init__(self, workspace: Workspace, *, is_everything: bool = False, max_depth: int | None = None) -> None:
        self._workspace = workspace
        self._is_everything = is_everything
        self._max_depth = max_depth
        self.ignored = 0
        """Names that `.gitignore` files leave out."""
        self.unread: list[str] = []
        """Folders that could not be opened."""
        self.is_cut = False
        """There is more than a walk goes through."""
        self._known: dict[Place, Rules | None] = {}
        """The rules of folders that were asked for one by one, those of the folders above among them."""

    def below(self, top: Place) -> Iterator[Step]:
        """Everything below a folder, folders before what they hold.

        Raises:
            Refusal: the folder itself cannot be listed.
        """
        waiting: deque[tuple[Place, Rules | None, int]] = deque([(top, self._rules_above(top), 0)])
        walked = 0
        while waiting:
            folder, rules, depth = waiting.popleft()
            progress.check()
            try:
                entries = self._workspace.entries(folder)
            except Refusal:
                if not depth:
                    raise
                self.unread.append(visible(folder.shown))
                continue
            self.is_cut = self.is_cut or len(entries) >= MAX_ENTRIES
            rules = self._rules_of(folder, entries, rules)
            for entry in entries:
                place = self._workspace.below(folder, entry.name)
                if self._is_left_out(place, entry, rules):
                    continue
                walked += 1
                if walked > MAX_WALKED:
                    self.is_cut = True
                    return
                yield Step(place, entry, depth)
                if entry.kind == "folder" and (self._max_depth is None or depth + 1 < self._max_depth):
                    waiting.append((place, rules, depth + 1))

    def leaves_out(self, file: Place, top: Place) -> bool:
        """Whether `.gitignore` files keep a walk below `top` from a file there: they name it, or a folder on the way to it."""
        place = file
        while len(place.parts) > len(top.parts):
            folder = self._workspace.above(place)
            rules = self._rules_in(folder)
            if rules is not None and rules.ignores(place.parts, is_folder=place != file):
                return True
            place = folder
        return False

    def _is_left_out(self, place: Place, entry: Entry, rules: Rules | None) -> bool:
        if self._workspace.is_private(place):
            return True
        if self._is_everything or rules is None or not rules.ignores(place.parts, is_folder=entry.kind == "folder"):
            return False
        self.ignored += 1
        return True

    def _rules_above(self, top: Place) -> Rules | None:
        return self._rules_in(self._workspace.above(top)) if top.parts else None

    def _rules_in(self, folder: Place) -> Rules | None:
        if self._is_everything:
            return None
        if folder not in self._known:
            self._known[folder] = self._with_file(folder, self._rules_above(folder))
        return self._known[folder]

    def _rules_of(self, folder: Place, entries: list[Entry], rules: Rules | None) -> Rules | None:
        has_file = any(entry.name == ignoring.FILE and entry.kind == "file" for entry in entries)
        return self._with_file(folder, rules) if has_file and not self._is_everything else rules

    def _with_file(self, folder: Place, rules: Rules | None) -> Rules | None:
        try:
            content = self._workspace.read(self._workspace.below(folder, ignoring.FILE), ignoring.MAX_FILE_BYTES)
        except Refusal:
            return rules
        return ignoring.with_rules(content.data.decode("utf-8", "replace"), len(folder.parts), rules)
