"""Which drafts may be at their account without our knowing: noted before an account is asked to keep one, until its answer is kept here.

One small file per draft in `unplaced` of the store: the account's name in its first line, then the draft itself, which may be sent or
thrown away here before anybody looks.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mcp_servers.files import private_folder, write_whole

LONGEST_S = 30 * 86_400.0
"""What was not settled for so long is not looked for any more, nor is a text kept for it: its account is gone, or cannot say."""


@dataclass(frozen=True)
class Note:
    """One draft that an account was asked to keep."""

    key: str
    """Under which it is kept here."""
    account: str
    content: bytes
    age_s: float
    """Since it was noted, in seconds."""


class Unplaced:
    """Safe to use from several processes."""

    def __init__(self, store: Path) -> None:
        self._folder = store / "unplaced"

    def note(self, key: str, account: str, content: bytes) -> None:
        """The account may have this draft from now on."""
        write_whole(private_folder(self._folder) / key, f"{account}\n".encode() + content)

    def waiting(self) -> tuple[Note, ...]:
        """In no order that matters."""
        if not self._folder.is_dir():
            return ()
        notes: list[Note] = []
        for file in sorted(self._folder.iterdir()):
            if file.name.startswith("."):
                continue
            with suppress(FileNotFoundError):  # another process was faster
                age_s = time.time() - file.stat().st_mtime
                if age_s > LONGEST_S:
                    file.unlink()
                    continue
                account, _, content = file.read_bytes().partition(b"\n")
                notes.append(Note(file.name, account.decode("utf-8", "replace"), content, age_s))
        return tuple(notes)

    def done(self, key: str) -> None:
        (self._folder / key).unlink(missing_ok=True)
