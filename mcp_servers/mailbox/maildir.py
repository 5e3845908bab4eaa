"""A Maildir folder: files that are written once and moved; only a draft of ours is ever written anew.

Other programs may deliver, mark and delete in it at the same time; a mail that moves between listing and reading is
looked for again. What they have marked as deleted and not taken away yet (`T`) is there no more for whoever looks what is in it.
"""

from __future__ import annotations

import os
import re
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from mcp_servers.files import PRIVATE_FILE_MODE, private_folder, write_whole

_READ_ATTEMPTS = 3
"""A mail can move while it is opened: once when it is seen for the first time, once more when it is marked."""
_FLAGS_MARK = ":2,"
_DELETED = "T"
_UID = re.compile(r",U=\d+")
"""mbsync keeps the number that a mail has on the server in its name: put there later, and true in that one folder only."""
MAX_MAIL_BYTES = 25 * 1024 * 1024
"""Larger mails are read up to here: the text comes first."""


@dataclass(frozen=True)
class Entry:
    """One file. `key` stays when the mail moves, when its flags change and when mbsync numbers it."""

    key: str
    path: Path
    flags: str
    is_new: bool
    stamp: str = ""
    """Of its content: when it was written, and its size. Empty where it moved just now."""

    @property
    def is_unread(self) -> bool:
        return self.is_new or "S" not in self.flags

    @property
    def is_deleted(self) -> bool:
        return _DELETED in self.flags

    @property
    def named(self) -> str:
        """Its name without the flags: the key, and what mbsync has put to it."""
        return self.path.name.partition(_FLAGS_MARK)[0]


class Maildir:
    """One folder, made when it is missing."""

    def __init__(self, folder: Path) -> None:
        self.folder = private_folder(folder)
        for name in ("tmp", "new", "cur"):
            private_folder(folder / name)

    def entries(self) -> dict[str, Entry]:
        """The mails that are in it now, by key."""
        return {key: entry for key, entry in self.with_deleted().items() if not entry.is_deleted}

    def with_deleted(self) -> dict[str, Entry]:
        """Every mail whose file lies in it, by key; of two with one key that which is not deleted."""
        found: dict[str, Entry] = {}
        for name in ("new", "cur"):
            with os.scandir(self.folder / name) as files:
                for file in files:
                    if file.name.startswith(".") or not _is_file(file):
                        continue
                    named, _, flags = file.name.partition(_FLAGS_MARK)
                    key = without_uid(named)
                    if key not in found or _DELETED not in flags:
                        found[key] = Entry(key, Path(file.path), flags, name == "new", _stamp(file))
        return found

    def read(self, key: str, *, entry: Entry | None = None) -> bytes | None:
        """The mail's bytes; None when it is gone.

        Args:
            key: of the mail.
            entry: where it was a moment ago, which spares a look at the whole folder.
        """
        for _ in range(_READ_ATTEMPTS):
            entry = entry or self.with_deleted().get(key)
            if entry is None:
                return None
            try:
                with entry.path.open("rb") as file:
                    return file.read(MAX_MAIL_BYTES)
            except FileNotFoundError:
                entry = None
        return None

    def add(self, content: bytes, *, key: str = "", flags: str = "S") -> str:
        """Deliver a mail that has been seen; under a key that is already there, nothing happens.

        Returns:
            Its key.
        """
        key = key or f"{time.time_ns()}.{os.getpid()}_{os.urandom(4).hex()}.{socket.gethostname().replace('/', '_').replace(':', '_')}"
        fresh = self.folder / "tmp" / key
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), PRIVATE_FILE_MODE)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if key in self.entries():
                fresh.unlink()
            else:
                fresh.rename(self.folder / "cur" / f"{key}{_FLAGS_MARK}{flags}")
        except BaseException:
            # Nobody takes half a mail away, and a full disk would stay full with it.
            fresh.unlink(missing_ok=True)
            raise
        return key

    def rewrite(self, key: str, content: bytes) -> bool:
        """Put other content in the place of a mail that is ours, all of it at once; False when it is gone."""
        entry = self.with_deleted().get(key)
        if entry is None:
            return False
        write_whole(entry.path, content)
        return True

    def hand_over(self, key: str, target: Maildir) -> bool:
        """Move a mail to another folder, as unread or read as it is, and not as deleted; False when it is gone."""
        for _ in range(_READ_ATTEMPTS):
            entry = self.with_deleted().get(key)
            if entry is None:
                return False
            _, mark, flags = entry.path.name.partition(_FLAGS_MARK)
            try:
                # Without the number of this folder: mbsync would take it for one of the other's, and stop, or never upload the mail.
                entry.path.rename(target.folder / entry.path.parent.name / f"{key}{mark}{flags.replace(_DELETED, '')}")
            except FileNotFoundError:
                continue
            return True
        return False

    def mark(self, key: str, *, added: str, removed: str) -> bool:
        """Change a mail's flags, which are letters; False when it is gone. One that is marked has been looked at: it is in `cur` then."""
        for _ in range(_READ_ATTEMPTS):
            entry = self.with_deleted().get(key)
            if entry is None:
                return False
            flags = "".join(sorted(({*entry.flags} - {*removed}) | {*added}))
            if flags == entry.flags:
                return True
            try:
                entry.path.rename(self.folder / "cur" / f"{entry.named}{_FLAGS_MARK}{flags}")
            except FileNotFoundError:
                continue
            return True
        return False

    def remove(self, key: str) -> None:
        entry = self.with_deleted().get(key)
        if entry is not None:
            entry.path.unlink(missing_ok=True)


def without_uid(name: str) -> str:
    """A file's name without the number that mbsync has put to it."""
    return _UID.sub("", name)


def _is_file(file: os.DirEntry[str]) -> bool:
    """A folder or a link to nothing is no mail, and reading it would fail."""
    try:
        return file.is_file()
    except OSError:
        return False


def _stamp(file: os.DirEntry[str]) -> str:
    try:
        known = file.stat()
    except OSError:
        return ""
    return f"{known.st_mtime_ns}-{known.st_size}"
