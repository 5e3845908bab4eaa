"""The steps of each kind of change, found by looking at the files as they are; nothing is written here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mcp_servers.errors import Refusal
from mcp_servers.workspace.changing import patch as patches
from mcp_servers.workspace.changing.editing import patched, replaced
from mcp_servers.workspace.folders.access import Workspace
from mcp_servers.workspace.folders.places import folded
from mcp_servers.workspace.folders.textual import Text, decoded, encoded, split_lines
from mcp_servers.workspace.model import Content, Place, Step

MAX_DELETED = 2000
"""Files in one folder that is deleted; a larger one is no accident, and a person's own work."""
MAX_DELETED_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Planner:
    """What changes would be made of a call.

    Args:
        workspace: where.
        file_mode: the permission bits of a new file.
    """

    workspace: Workspace
    file_mode: int = 0o644

    def edit(self, place: Place, old: str, new: str, *, is_everywhere: bool) -> list[Step]:
        """One exact replacement."""
        content, text = self._text(place)
        return [self._write(place, content, replaced(text, old, new, place.shown, is_everywhere=is_everywhere))]

    def patch(self, patch: str) -> list[Step]:
        """All files of a unified diff."""
        steps: list[Step] = []
        for part in patches.parsed(patch):
            place = self.workspace.place(part.path)
            if part.is_new:
                lines = patched(Text((), "utf-8"), part.hunks, place.shown).lines
                steps += self.create(place, "".join(lines), planned=steps)
            else:
                content, text = self._text(place)
                steps.append(self._write(place, content, patched(text, part.hunks, place.shown)))
        # On a disk that does not know case, `a` and `A` are one file, too.
        if len({(step.place.root, *map(folded, step.place.parts)) for step in steps}) != len(steps):
            raise Refusal("The patch names a file twice. Give one part for each file.")
        return steps

    def create(self, place: Place, text: str, *, planned: Sequence[Step] = ()) -> list[Step]:
        """A new file, and the folders above it that are missing."""
        self._check_free(place, is_fresh=True)
        content = Content(encoded(Text(split_lines(text), "utf-8")), self.file_mode)
        return [*self._folders(place, planned), Step("create", place, after=content)]

    def move(self, place: Place, target: Place) -> list[Step]:
        """Another name, and the folders above it that are missing."""
        self._check_movable(place)
        if target.root == place.root and target.parts[: len(place.parts)] == place.parts:
            raise Refusal(f"{place.shown} cannot be moved to {target.shown}, which lies in it. Choose a place outside of it.")
        found = self.workspace.look(place)
        if found is None:
            raise Refusal(f"There is no {place.shown}. Look with list_files.")
        if found.kind not in {"file", "folder"}:
            raise Refusal(f"{place.shown} is neither a file nor a folder. Choose another.")
        self._check_free(target, but=place)
        return [*self._folders(target, ()), Step("move", place, target=target)]

    def delete(self, place: Place) -> list[Step]:
        """A file, or a folder and all that is in it."""
        self._check_movable(place)
        found = self.workspace.look(place)
        if found is None:
            raise Refusal(f"There is no {place.shown}. Look with list_files.")
        steps: list[Step] = []
        size = 0
        for step in self._removals(place, found.kind, found.mode):
            size += len(step.before.data) if step.before else 0
            steps.append(step)
            if len(steps) > MAX_DELETED or size > MAX_DELETED_BYTES:
                raise Refusal(f"{place.shown} holds too much for the trash. The person must delete it.")
        return steps

    def _removals(self, place: Place, kind: str, mode: int) -> Iterator[Step]:
        if kind == "file":
            yield Step("delete", place, before=self.workspace.read(place, MAX_DELETED_BYTES))
            return
        if kind != "folder":
            raise Refusal(f"{place.shown} is a link or a device. The person must delete it.")
        self.workspace.check(place)
        for entry in self.workspace.entries(place):
            below = self.workspace.below(place, entry.name)
            found = self.workspace.look(below)
            if found is not None:
                yield from self._removals(below, found.kind, found.mode)
        yield Step("remove_folder", place, before=Content(b"", mode))

    def _text(self, place: Place) -> tuple[Content, Text]:
        content = self.workspace.read(place)
        text = decoded(content.data)
        if text is None:
            raise Refusal(f"{place.shown} is no text. Run a command that changes it.")
        return content, text

    def _write(self, place: Place, content: Content, text: Text) -> Step:
        fresh = Content(encoded(text), content.mode)
        if fresh.data == content.data:
            raise Refusal(f"Nothing would change in {place.shown}. Read it again.")
        return Step("write", place, before=content, after=fresh)

    def _check_movable(self, place: Place) -> None:
        if not place.parts:
            raise Refusal("That is the workspace itself. Name something in it.")
        self.workspace.check(place)
        if self.workspace.holds_private(place):
            raise Refusal(f"{place.shown} holds Variet's own files and is left alone. Choose another place.")

    def _check_free(self, place: Place, but: Place | None = None, *, is_fresh: bool = False) -> None:
        """Nothing of this name is there, nor of one that other disks take for the same; for a new file the way to change it is told."""
        if not place.parts:
            raise Refusal(f"{place.shown} is a folder. Name a file.")
        self.workspace.check(place)
        folder = self.workspace.above(place)
        found = self.workspace.look(folder)
        if found is None:
            return
        if found.kind != "folder":
            raise Refusal(f"{folder.shown} is no folder. Look with list_files.")
        for entry in self.workspace.entries(folder):
            if folded(entry.name) == folded(place.name) and self.workspace.below(folder, entry.name) != but:
                if is_fresh and entry.name == place.name and entry.kind == "file":
                    how = "" if entry.size else ", with an empty old_text"
                    raise Refusal(f"{place.shown} is there already. Change it with edit_file{how}.")
                other = "" if entry.name == place.name else f" (as {entry.name})"
                raise Refusal(f"{place.shown} is there already{other}. Choose another name.")

    def _folders(self, place: Place, planned: Sequence[Step]) -> list[Step]:
        """The folders above it that have to be made."""
        missing: list[Step] = []
        for depth in range(1, len(place.parts)):
            folder = self.workspace.below(self.workspace.top(place.root), *place.parts[:depth])
            is_planned = any(step.kind == "make_folder" and step.place == folder for step in planned)
            if not is_planned and self.workspace.look(folder) is None:
                missing.append(Step("make_folder", folder))
        return missing
