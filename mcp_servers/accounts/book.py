"""Which accounts allowed what, as a file of the home. It holds no secret and no address."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import ValidationError

from config.disk.file_lock import try_lock
from config.disk.whole_file import write_whole
from config.paths import Home, make_private
from mcp_servers.accounts.failing import LoginNeeded
from mcp_servers.accounts.model import Grant, Grants

LOCK_TIMEOUT_S = 5.0
"""Another log-in writes for milliseconds; one that takes longer has hung."""


class Book:
    """Written by log-in and log-out alone; read anew each time, so that a login is known without a restart."""

    def __init__(self, home: Home) -> None:
        self._file = home.config_dir / "accounts.json"

    def read(self) -> Grants:
        """All grants.

        Raises:
            LoginNeeded: the file cannot be read.
        """
        try:
            return Grants.model_validate_json(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return Grants()
        except (OSError, ValidationError, ValueError) as error:
            raise LoginNeeded(f"{self._file} cannot be read. Delete it and log in again.") from error

    def add(self, grant: Grant) -> None:
        """Write one down, whatever another log-in writes meanwhile.

        Raises:
            LoginNeeded: the file cannot be read or written.
        """
        self._change(lambda grants: grants.with_grant(grant))

    def remove(self, *gone: Grant) -> None:
        """As `add`."""
        self._change(lambda grants: grants.without(*gone))

    def _change(self, change: Callable[[Grants], Grants]) -> None:
        try:
            make_private(self._file.parent)
            with try_lock(self._file.with_suffix(".lock"), timeout_s=LOCK_TIMEOUT_S) as is_ours:
                if not is_ours:
                    raise LoginNeeded(f"Another program is changing {self._file}. End it, and log in again.")
                # Read under the lock: what the one before has written is not lost.
                write_whole(self._file, change(self.read()).model_dump_json(indent=1) + "\n")
        except OSError as error:
            raise LoginNeeded(f"{self._file} cannot be written: {error.strerror}. Make that right and log in again.") from error
