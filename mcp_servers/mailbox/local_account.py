"""The local folder as a mail account: a Maildir for each folder in it, and in those that lie in others (`Projects/Roof`).

The inbox is the folder itself, when that is a Maildir, or `Inbox`, or what another program calls by that name in its own letters, such as
offlineimap's `INBOX`. What is in the trash is shown there also when it is marked as deleted, as mu4e marks all that it puts there, and
comes back without the mark.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from mcp_servers.errors import Quoting, Refusal
from mcp_servers.mailbox.accounts import HEADS_BOUND_S, Listing, NotAll
from mcp_servers.mailbox.maildir import Entry, Maildir
from mcp_servers.mailbox.places import FLAGGED, INBOX, LOCAL, ROLES, TRASH, UNREAD

_LEVELS = 4
"""Of folders in folders: deeper than people sort their mail, and a bound for the walk."""
_PARTS = frozenset({"cur", "new", "tmp"})
"""Of a Maildir: mails lie in them, and no folders."""


class LocalAccount:
    """Every folder is a Maildir; names of deeper ones have a `/` between them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._maildirs: dict[str, Maildir] = {}

    @property
    def name(self) -> str:
        return LOCAL

    def maildir(self, folder: str) -> Maildir:
        """One folder, made when it is missing."""
        if folder not in self._maildirs:
            self._maildirs[folder] = Maildir(self._path(folder))
        return self._maildirs[folder]

    def folders(self) -> tuple[str, ...]:
        found = {name for name, path in _maildirs_in(self._folder) if path != self._inbox}
        return (*ROLES, *sorted(found - {*ROLES}, key=str.casefold))

    def listing(self, folder: str) -> Listing:
        if folder not in self._present():
            return Listing()
        entries = self._entries(folder)
        unread = {key: entry.is_unread for key, entry in entries.items()}
        return Listing(unread, stamps={key: entry.stamp for key, entry in entries.items()}, gone=self._gone)

    def heads(self, keys: Sequence[str], within_s: float = HEADS_BOUND_S) -> Iterator[tuple[str, bytes]]:
        del within_s  # a disk keeps nobody waiting
        wanted = {*keys}
        closed = 0
        for folder in self._present():
            maildir = self.maildir(folder)
            for key, entry in self._entries(folder).items():
                try:
                    content = maildir.read(key, entry=entry) if key in wanted else None
                except OSError:  # of another owner, or a disk that fails: it must not hide the others
                    closed += 1
                    continue
                if content is not None:
                    yield key, content
        if closed:
            what = "1 mail cannot be opened and is" if closed == 1 else f"{closed} mails cannot be opened and are"
            raise NotAll(f"{self.name}: {what} left out. Look who may read what lies there.")

    def read(self, key: str) -> bytes | None:
        folder = self.folder_of(key)
        return None if folder is None else self.maildir(folder).read(key)

    def folder_of(self, key: str) -> str | None:
        return next((folder for folder in self._present() if key in self._entries(folder)), None)

    def move(self, key: str, target: str) -> str:
        source = self.folder_of(key)
        if source is None:
            raise Refusal("The mail is gone. Look again.")
        if target not in self.folders():
            raise Quoting(f'There is no folder "{target}". There are {", ".join(self.folders())}. Name one of them.')
        if source != target and not self.maildir(source).hand_over(key, self.maildir(target)):
            raise Refusal("The mail is gone. Look again.")
        return key

    def labels(self, folder: str) -> tuple[str, ...]:
        del folder
        return (FLAGGED, UNREAD)

    def labels_of(self, key: str) -> tuple[str, ...] | None:
        folder = self.folder_of(key)
        entry = self._entries(folder).get(key) if folder is not None else None
        if entry is None:
            return None
        return (*((FLAGGED,) if "F" in entry.flags else ()), *((UNREAD,) if entry.is_unread else ()))

    def relabel(self, key: str, added: Collection[str], removed: Collection[str]) -> None:
        if strange := {*added, *removed} - {FLAGGED, UNREAD}:
            asked = ", ".join(sorted(strange))
            raise Refusal(
                f"Mails of the local folder can be {FLAGGED} and {UNREAD}, and not {asked}. Name one of the two, or use a folder."
            )
        folder = self.folder_of(key)
        marks = ("F" if FLAGGED in added else "") + ("S" if UNREAD in removed else "")
        gone = ("F" if FLAGGED in removed else "") + ("S" if UNREAD in added else "")
        if folder is None or not self.maildir(folder).mark(key, added=marks, removed=gone):
            raise Refusal("The mail is gone. Look again.")

    def _gone(self, keys: Collection[str]) -> frozenset[str]:
        left = frozenset(keys)
        # Looked for twice: one that moves from a folder that comes later to one that came before is missed once.
        for _ in range(2):
            # One that is only marked as deleted keeps its number: somebody may take the mark off again.
            left -= {key for folder in (self._present() if left else ()) for key in self.maildir(folder).with_deleted()}
        return left

    def _entries(self, folder: str) -> Mapping[str, Entry]:
        maildir = self.maildir(folder)
        return maildir.with_deleted() if folder == TRASH else maildir.entries()

    def _present(self) -> tuple[str, ...]:
        return tuple(folder for folder in self.folders() if (self._path(folder) / "cur").is_dir())

    def _path(self, folder: str) -> Path:
        if folder == INBOX:
            return self._inbox
        # A name is one of those that `folders` found, or a role: never a path of somebody's own.
        path = self._folder
        for name in folder.split("/"):
            plain, dotted = path / name, path / f".{name}"
            path = dotted if dotted.is_dir() and not plain.is_dir() else plain
        return path

    @cached_property
    def _inbox(self) -> Path:
        """Looked for once: it stays the same folder while this account is in use."""
        if (self._folder / "cur").is_dir():
            return self._folder
        usual = self._folder / INBOX
        named = [path for name, path in _maildirs_in(self._folder, levels=1) if name.lower() == INBOX.lower()]
        others = [path for path in named if path != usual]
        # An empty one beside another program's was made by us, before its was known.
        return others[0] if len(others) == 1 and (usual not in named or not _has_mails(usual)) else usual


def _maildirs_in(folder: Path, above: str = "", levels: int = _LEVELS) -> Iterator[tuple[str, Path]]:
    """The Maildirs in a folder, by the names that a person sees."""
    for path in _folders_in(folder):
        # A link is one that somebody put among the folders of the store itself; what is behind it need not be mail.
        if path.name in _PARTS or (path.is_symlink() and above):
            continue
        name = above + path.name.removeprefix(".")
        is_maildir = os.path.isdir(path / "cur")  # the other one raises where it may not look
        if is_maildir:
            yield name, path
        # A hidden folder that is no Maildir is some program's own, and large: `.git`, `.notmuch`.
        if levels > 1 and not path.is_symlink() and (is_maildir or not path.name.startswith(".")):
            yield from _maildirs_in(path, f"{name}/", levels - 1)


def _folders_in(folder: Path) -> list[Path]:
    """In one order; of one that nobody may look into, none."""
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.is_dir())
    except OSError:
        return []


def _has_mails(folder: Path) -> bool:
    return any(entry.is_file() for part in ("new", "cur") if (folder / part).is_dir() for entry in (folder / part).iterdir())
