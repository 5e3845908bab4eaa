"""The local folder as a mail account: a Maildir for each folder in it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from mcp_servers.errors import Quoting, Refusal
from mcp_servers.mailbox.accounts import Listing, NotAll
from mcp_servers.mailbox.maildir import Maildir
from mcp_servers.mailbox.places import FLAGGED, INBOX, LOCAL, ROLES, UNREAD


class LocalAccount:
    """`Inbox` is the folder itself, when that is a Maildir."""

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
        found = {file.parent.name.removeprefix(".") for file in self._folder.glob("*/cur")}
        return (*ROLES, *sorted(found - {*ROLES}, key=str.casefold))

    def listing(self, folder: str) -> Listing:
        if folder not in self._present():
            return Listing()
        entries = self.maildir(folder).entries()
        unread = {key: entry.is_unread for key, entry in entries.items()}
        return Listing(unread, stamps={key: entry.stamp for key, entry in entries.items()}, gone=self._gone)

    def heads(self, keys: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        wanted = {*keys}
        closed = 0
        for folder in self._present():
            maildir = self.maildir(folder)
            for key, entry in maildir.entries().items():
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
        return next((folder for folder in self._present() if key in self.maildir(folder).entries()), None)

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
        entry = self.maildir(folder).entries().get(key) if folder is not None else None
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
            left -= {key for folder in (self._present() if left else ()) for key in self.maildir(folder).entries()}
        return left

    def _present(self) -> tuple[str, ...]:
        return tuple(folder for folder in self.folders() if (self._path(folder) / "cur").is_dir())

    def _path(self, folder: str) -> Path:
        if folder == INBOX:
            return self._folder if (self._folder / "cur").is_dir() else self._folder / INBOX
        # A name is one of those that `folders` found, or a role: never a path.
        plain, dotted = self._folder / folder, self._folder / f".{folder}"
        return dotted if dotted.is_dir() and not plain.is_dir() else plain
