"""Where the running service of a home can be reached: `service.json`, private to its owner.

It appears only when the service listens and disappears when it leaves; a file whose process is gone is a leftover that anybody may replace,
and that nobody may trust: the port in it is free for every account of the machine.
"""

from __future__ import annotations

import importlib.metadata
from functools import cache
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from agent.launch import is_running
from agent.service.code_mark import code_mark
from config.disk.file_lock import is_held
from config.disk.whole_file import write_whole
from config.paths import Home


class Address(BaseModel):
    """What a front-end needs to attach."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    url: str
    token: str
    """As good as a login to mail and calendar."""
    pid: int
    version: str
    """See `own_version`."""
    settings: str | None = None
    """The settings file that it was told to use; None for the home's own."""
    digest: str | None = None
    """Of the settings that it runs with; None where it does not say."""
    gateway: str | None = None
    """What other programs take as their base URL, where the gateway has a port of its own; its token is another one."""
    mcp: str | None = None
    """Where MCP clients reach the agent over HTTP, if they do; with a third token."""
    stays: bool = False
    """Somebody started it to stay, for programs that come and go without being attached."""

    @classmethod
    def read(cls, home: Home) -> Self | None:
        """The address that was published; None when there is none, or none that can be understood."""
        try:
            return cls.model_validate_json(service_file(home).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    @classmethod
    def of_running(cls, home: Home) -> Self | None:
        """The address of the service that runs; None where there is none, also where one that was killed left its file behind.

        A process id alone tells too little: after a restart of the machine another program may have it. The lock was its holder's alone.
        """
        # The lock first: who takes it takes an old file away, so what is read afterwards is the holder's own.
        if not is_held(service_lock(home)):
            return None
        address = cls.read(home)
        return address if address is not None and is_running(address.pid) else None

    @property
    def is_of_newer_code(self) -> bool:
        """It runs what is on the disk by now, and this process what was there before."""
        return self.version != own_version() and self.version == version_on_disk()

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


def service_lock(home: Home) -> Path:
    """The file whose lock the service of a home holds for as long as it lives."""
    return home.run_dir / "service.lock"


@cache
def own_version() -> str:
    """The version and the code that this process was started with: a front-end talks only to a service of its own.

    Asked for once, as early as can be: what is on the disk may be replaced while we run.
    """
    return version_on_disk()


def version_on_disk() -> str:
    """The version that is installed now, with a mark of its code: `0.1.0+3f2a9c1b`."""
    return f"{importlib.metadata.version('variet')}+{code_mark()}"
