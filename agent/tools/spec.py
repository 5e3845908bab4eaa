"""What a tool server is to us: how it is started or reached, and how long its calls may take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

CALL_TIMEOUT_S = 60.0
"""Silence after which a tool has hung: a mail server's own time-outs are shorter."""
LONGEST_CALL_S = 900.0
"""However often it says that it goes on: a test run of a big project, no more."""
FIRST_START_S = 600.0
"""A program that is not ours may be downloaded at its first start. Ended before that is done, it begins anew at the next."""


def no_token() -> SecretStr | None:
    """For a server that is shown none."""
    return None


def no_secrets() -> Mapping[str, str]:
    """For a server that needs none."""
    return {}


@dataclass(frozen=True)
class ServerSpec:
    """How to start or reach one server: `command` or `url`."""

    name: str
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    """Beside HOME, LOGNAME, PATH, SHELL, TERM and USER, which is all that it inherits."""
    builtin: str | None = None
    """Set when it is one of ours: only then does the pinned manifest speak of its tools."""
    start_timeout_s: float = 20.0
    wants_grants: bool = False
    """It does nothing without our seal on the call; each of its processes gets a key of its own."""
    url: str = ""
    """Where it answers over streamable HTTP."""
    token: Callable[[], SecretStr | None] = no_token
    """Reads what it is shown as bearer, at each start. It may raise what says why there is none."""
    secrets: Callable[[], Mapping[str, str]] = no_secrets
    """Reads more variables of its process, which are secrets, at each start. It may raise what says why there is none."""
    ca: Path | None = None
    """The certificates, in PEM, that alone vouch for `url`; None for those of the system."""
    roots: tuple[Path, ...] = ()
    """The person's folders that it is told of where it asks; an address is told of none."""
    call_timeout_s: float = CALL_TIMEOUT_S
    """How long a call may go without an answer or a word of progress."""
    tool_timeouts: Mapping[str, float] = field(default_factory=dict[str, float])
    """The same for single tools, by the server's own names."""
    longest_call_s: float = LONGEST_CALL_S
    """What one call may take in all; the time in which a person is asked is not counted."""

    def environment(self) -> dict[str, str]:
        """The variables of a process of it that is started now. It may raise, as `secrets`."""
        return {**self.env, **self.secrets()}

    @property
    def longest_start_s(self) -> float:
        """How long a start may go on; `start_timeout_s` is how long anybody waits for it."""
        is_program = not self.url and self.builtin is None
        return max(self.start_timeout_s, FIRST_START_S) if is_program else self.start_timeout_s

    def silence_s(self, tool: str) -> float:
        """How long a call of this tool may be silent."""
        return self.tool_timeouts.get(tool, self.call_timeout_s)

    def bound_s(self, tool: str) -> float:
        """How long a call of this tool may take in all."""
        return max(self.longest_call_s, self.silence_s(tool))
