"""Where the running service of a home can be reached: `service.json`, private to its owner.

It appears only when the service listens and disappears when it leaves; a file whose process is gone is a leftover that anybody may replace.
"""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from config.paths import Home
from config.whole_file import write_whole


class Address(BaseModel):
    """What a front-end needs to attach."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    url: str
    token: str
    """As good as a login to mail and calendar."""
    pid: int
    version: str
    settings: str | None = None
    """The settings file that it was told to use; None for the home's own."""
    gateway: str | None = None
    """What other programs take as their base URL, where the gateway has a port of its own; its token is another one."""
    mcp: str | None = None
    """Where MCP clients reach the agent over HTTP, if they do; with a third token."""

    @classmethod
    def read(cls, home: Home) -> Self | None:
        """The address that was published; None when there is none, or none that can be understood."""
        try:
            return cls.model_validate_json(service_file(home).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def publish(self, home: Home) -> None:
        """Make it known, all of it at once: a reader never sees half a file, nor one that others can read."""
        write_whole(service_file(home), self.model_dump_json())

    def withdraw(self, home: Home) -> None:
        """Remove it, unless another service has published its own since."""
        present = Address.read(home)
        if present is not None and present.token == self.token:
            service_file(home).unlink(missing_ok=True)


def service_file(home: Home) -> Path:
    """The file that names the service of a home."""
    return home.run_dir / "service.json"


def own_version() -> str:
    """The installed version: a front-end talks only to a service of its own."""
    return importlib.metadata.version("variet")
