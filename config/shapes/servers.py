"""The shape of one tool server in `agent.toml`: one that comes with Variet, a program that is started, or an address that is asked."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from config.vocabulary import Builtin, File, Listed, Name, Section, Url

Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
SecretName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
"""As `config.credentials` knows one."""


class ServerEntry(Section):
    builtin: Builtin | None = None
    """One of the servers that come with Variet; for a section of that name it may be left out."""
    command: Listed[str] | None = None
    """Any other MCP server that speaks over standard input and output: program and arguments."""
    url: Url | None = None
    """Any other MCP server that answers over streamable HTTP, such as `https://tools.example.org/mcp`; plain `http` only on this machine.
    The token that it is shown is the secret `server_NAME_token`. Redirects are refused."""
    ca: File | None = None
    """The certificate, in PEM, that vouches for the `https` address. Absent: those of this system. Beside `command` or `builtin`
    it does nothing."""
    env: Mapping[str, str] = Field(default_factory=dict)
    """More environment variables for the program that is started; beside `url` they do nothing. Never secrets: those are named in
    `secrets`."""
    secrets: Mapping[Variable, SecretName] = Field(default_factory=dict)
    """Its variables that are secrets, each with the secret's name: `GITHUB_PERSONAL_ACCESS_TOKEN = "github_token"` is read from the file
    `secrets/github_token` beside `agent.toml` (chmod 600), or from `VARIET_GITHUB_TOKEN`, at each start. Beside `url` they do nothing."""
    enabled: bool = True
    """Whether it is started."""
    start_timeout_s: float = Field(default=20, gt=0)
    """Seconds that its first answer is waited for. A `command` may take ten minutes all the same, in which it may be downloaded: its tools
    come when it answers. Beside `builtin` and `url` the start has failed by then."""
    call_timeout_s: float = Field(default=60, gt=0)
    """Seconds that a call may go without an answer or a word of progress."""
    tool_timeouts: Mapping[Name, float] = Field(default_factory=dict)
    """The same for single tools, by the server's own names for them."""
    longest_call_s: float = Field(default=900, gt=0)
    """Seconds that one call may take in all, however often it says that it goes on."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(map(bool, (self.builtin, self.command, self.url))) != 1:
            raise PydanticCustomError("one_kind", "one kind", {"allowed": "either `builtin`, `command` or `url`"})
        return self

    @model_validator(mode="after")
    def _said_once(self) -> Self:
        if twice := sorted(self.env.keys() & self.secrets.keys()):
            raise PydanticCustomError("said_twice", "a variable of `env` is in `secrets` too", {"allowed": f"`{twice[0]}` in one of them"})
        return self

    @model_validator(mode="after")
    def _no_token_in_the_clear(self) -> Self:
        parts = urlsplit(self.url or "https://")
        if parts.scheme == "http" and not _is_this_machine(parts.hostname or ""):
            raise PydanticCustomError("plain_http", "an `https` address; plain `http` is for this machine alone")
        if parts.username or parts.password:
            raise PydanticCustomError("userinfo", "an address without a password; what the server wants is the secret `server_NAME_token`")
        return self


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
