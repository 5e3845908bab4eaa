"""The part of `agent.toml` that speaks of the workspace server."""

from __future__ import annotations

from pydantic import Field

from config.vocabulary import File, Listed, Section


class WorkspaceSection(Section):
    roots: Listed[File] = ()
    """The folders that it works in; nothing outside them is read or written. Empty: it does not start."""
    secrets: Listed[str] = ()
    """Patterns of names or paths, such as `tests/*.pem`, that look like secrets and may be read."""
    hard_links: bool = False
    """Whether files with several names may be read; one of the names may lie outside."""
    commands: Listed[str] = ()
    """Programs that may be run, or how their command lines begin, such as `git status`; `*` for any. Each run is asked for all the same."""
    environment: Listed[str] = ()
    """Variables that commands may see, beside the few that programs need."""
    tests: Listed[str] = ()
    """The command that runs the tests, program and arguments. Empty: found (pytest, npm, cargo, go)."""
    checks: Listed[str] = ()
    """The command that checks the code. Empty: found (ruff, npm, cargo, go)."""
    timeout_s: float = Field(default=50, ge=1, le=3600)
    """Seconds that a command may take, unless its call says how many, up to an hour; while it runs, the agent hears so and waits."""
