"""The workspace as its tools see it: places in the roots, what may be read and changed there, and every refusal in words.

All that touches the disk goes through here, and here through one root's files, which follow no link.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from mcp_servers.errors import Refusal
from mcp_servers.workspace.folders import places
from mcp_servers.workspace.folders.guarded import is_secret, is_version_control
from mcp_servers.workspace.folders.places import Root
from mcp_servers.workspace.folders.refusing import told
from mcp_servers.workspace.model import Content, Entry, Found, Place, set_by

if TYPE_CHECKING or sys.platform != "win32":
    from mcp_servers.workspace.folders.posix_files import RootFiles
else:
    from mcp_servers.workspace.folders.windows_files import RootFiles

MAX_TEXT_BYTES = 4 * 1024 * 1024
"""A longer file is no source that anyone edits; it is said, not read."""
MAX_ENTRIES = 20_000
"""Names of one folder that are looked at."""


@dataclass(frozen=True)
class Rights:
    """What the settings open beyond the default."""

    secrets: tuple[str, ...] = ()
    """Patterns of names or paths that may be read although they look like secrets."""
    hard_links: bool = False
    """Whether files with several names may be read: one of the names may lie outside."""


class Workspace:
    """Some roots.

    Args:
        folders: the roots.
        rights: what the settings open.
        private: folders that are left alone wherever they lie: Variet's own home.

    Raises:
        Refusal: a root is no folder, or the whole disk.
    """

    def __init__(self, folders: Sequence[Path], rights: Rights | None = None, private: Sequence[Path] = ()) -> None:
        if not folders:
            raise Refusal("Name a folder: --root DIR, or workspace.roots in agent.toml.")
        said: dict[PurePath, list[PurePath]] = {}
        for folder in folders:
            said.setdefault(_resolved(folder), []).append(folder.expanduser().absolute())
        self.roots: tuple[Root, ...] = places.named(said)
        self.rights = rights or Rights()
        self._private = tuple(PurePath(os.path.realpath(folder)) for folder in private)
        self._files = tuple(RootFiles(root.path) for root in self.roots)

    def place(self, said: str) -> Place:
        """The place that a path names; nothing says the one root.

        Raises:
            Refusal: it is outside.
        """
        return places.place_of(said or ".", self.roots, is_windows=sys.platform == "win32")

    def below(self, place: Place, *names: str) -> Place:
        return places.at(self.roots, place.root, (*place.parts, *names))

    def above(self, place: Place) -> Place:
        return places.at(self.roots, place.root, place.parts[:-1])

    def top(self, number: int) -> Place:
        """A root itself."""
        return places.at(self.roots, number, ())

    def path(self, place: Place) -> str:
        """For a message or another program, never to be opened here."""
        return str(PurePath(self.roots[place.root].path, *place.parts))

    def is_inside(self, there: str) -> bool:
        """Whether a path of the disk, links resolved, lies in a root."""
        path = PurePath(os.path.realpath(there))
        return any(_is_below(path, PurePath(root.path)) for root in self.roots)

    def files(self, place: Place) -> RootFiles:
        return self._files[place.root]

    def is_private(self, place: Place) -> bool:
        """It belongs to version control or to Variet itself."""
        path = PurePath(self.path(place))
        return is_version_control(place.parts) or any(_is_below(path, folder) for folder in self._private)

    def holds_private(self, place: Place) -> bool:
        """A folder of Variet itself lies below it."""
        path = PurePath(self.path(place))
        return any(_is_below(folder, path) for folder in self._private)

    def is_secret(self, place: Place) -> bool:
        return is_secret(place.parts, self.rights.secrets)

    def check(self, place: Place) -> None:
        """Refuse what is left alone.

        Raises:
            Refusal: version control's own, Variet's own, or a file that holds secrets.
        """
        if self.is_private(place):
            raise Refusal(f"{place.shown} belongs to version control or to Variet itself and is left alone. Choose another place.")
        if self.is_secret(place):
            what = f"{place.shown} looks like a place of secrets and is left alone."
            raise Refusal(f"{what} The person can open it: {set_by('secrets', '--allow-secret')}.")

    def look(self, place: Place) -> Found | None:
        """What lies there, or None; whatever the way there is."""
        try:
            with told(place.shown):
                return self.files(place).look(place.parts)
        except Refusal as refusal:
            if isinstance(refusal.__cause__, FileNotFoundError):
                return None
            raise

    def entries(self, place: Place) -> list[Entry]:
        """The names in a folder, sorted. Links and devices are among them; nothing is followed."""
        with told(place.shown):
            return self.files(place).entries(place.parts, MAX_ENTRIES)

    def read(self, place: Place, limit: int = MAX_TEXT_BYTES) -> Content:
        """A file's bytes, whole.

        Raises:
            Refusal: it is left alone, no regular file, longer than `limit` bytes, or has a second name.
        """
        self._check_file(place)
        with told(place.shown):
            found, data = self.files(place).read(place.parts, limit)
        self._check_names(place, found)
        if len(data) > limit:
            what = f"{place.shown} is too long: {size_text(found.size)}, and {size_text(limit)} is the most."
            raise Refusal(f"{what} Search it with search_files, or run a command that shows a part.")
        return Content(data, found.mode)

    @contextmanager
    def reading(self, place: Place) -> Generator[Iterator[bytes]]:
        """A file's bytes, piece by piece, however many they are.

        Raises:
            Refusal: it is left alone, no regular file, or has a second name.
        """
        self._check_file(place)
        with ExitStack() as opened:
            with told(place.shown):
                found, chunks = opened.enter_context(self.files(place).reading(place.parts))
            self._check_names(place, found)
            yield chunks

    def _check_file(self, place: Place) -> None:
        self.check(place)
        if not place.parts:
            raise Refusal(f"{place.shown} is a folder. Name a file.")

    def _check_names(self, place: Place, found: Found) -> None:
        if found.names > 1 and not self.rights.hard_links:
            where = f"perhaps outside the workspace. The person can allow that: {set_by('hard_links', '--allow-hard-links')}."
            raise Refusal(f"{place.shown} has a second name (a hard link), {where}")


def size_text(size: int) -> str:
    """`950 bytes`, `12 KiB`, `3.4 MiB`."""
    if size < 1024:
        return "1 byte" if size == 1 else f"{size} bytes"
    kib = size / 1024
    if kib < 1024:
        return f"{kib:.0f} KiB"
    return f"{kib / 1024:.1f} MiB" if kib < 1024 * 1024 else f"{kib / 1024 / 1024:.1f} GiB"


def _is_below(path: PurePath, folder: PurePath) -> bool:
    """Compared without case: a disk may not know any."""
    names, top = ([places.folded(part) for part in each.parts] for each in (path, folder))
    return names[: len(top)] == top


def _resolved(folder: Path) -> Path:
    path = Path(os.path.realpath(folder.expanduser()))
    if not path.is_dir():
        raise Refusal(f"{folder} is no folder. Name one that is there.")
    if path == Path(path.anchor) or path == Path(os.path.realpath(Path.home())):
        raise Refusal(f"{folder} is too much: name the folder of a project.")
    return path
