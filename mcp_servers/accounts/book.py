"""Which accounts allowed what, as a file of the home. It holds no secret and no address."""

from __future__ import annotations

from pydantic import ValidationError

from config.paths import Home, make_private
from config.whole_file import write_whole
from mcp_servers.accounts.failing import LoginNeeded
from mcp_servers.accounts.model import Grant, Grants


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
        self._write(self.read().with_grant(grant))

    def remove(self, *gone: Grant) -> None:
        self._write(self.read().without(*gone))

    def _write(self, grants: Grants) -> None:
        make_private(self._file.parent)
        write_whole(self._file, grants.model_dump_json(indent=1) + "\n")
