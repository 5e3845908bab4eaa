"""Which sent mails are not among their account's own yet: the outbox, which cannot read, notes them, and the mail server puts them there.

One small file per mail in `unfiled` of the store, made before the mail's copy and gone once the account has it: what a crash interrupts is
taken up again.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from mcp_servers.files import private_folder, write_whole

LONGEST_S = 30 * 86_400.0
"""An account that took nothing for so long is not asked any more; the local copy stays."""


class Unfiled:
    """Safe to use from several processes."""

    def __init__(self, store: Path) -> None:
        self.folder = store / "unfiled"

    def note(self, key: str, account: str) -> None:
        """The mail that is kept here under this key goes to that account."""
        write_whole(private_folder(self.folder) / key, account.encode())

    def waiting(self) -> dict[str, str]:
        """The account of each, by key."""
        found: dict[str, str] = {}
        if not self.folder.is_dir():
            return found
        for file in sorted(self.folder.iterdir()):
            if file.name.startswith("."):
                continue
            with suppress(FileNotFoundError):  # another process was faster
                if time.time() - file.stat().st_mtime > LONGEST_S:
                    file.unlink()
                else:
                    found[file.name] = file.read_text(encoding="utf-8", errors="replace")
        return found

    def age_s(self, key: str) -> float:
        """How long ago it was noted, in seconds; 0 when it is gone."""
        with suppress(FileNotFoundError):
            return time.time() - (self.folder / key).stat().st_mtime
        return 0.0

    def done(self, key: str) -> None:
        (self.folder / key).unlink(missing_ok=True)
