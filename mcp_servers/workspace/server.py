"""The workspace tools: looking, changing and running, over the same roots."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from mcp_servers.protocol.calls import AsyncHandler
from mcp_servers.protocol.serving import threaded
from mcp_servers.workspace.changing.journal import Journal
from mcp_servers.workspace.changing.stepping import Stepper
from mcp_servers.workspace.changing.tools import Changing
from mcp_servers.workspace.folders.access import Workspace
from mcp_servers.workspace.looking.tools import Reading, new_token
from mcp_servers.workspace.running.commands import Allowed
from mcp_servers.workspace.running.tools import Running
from mcp_servers.workspace.tools import TOOLS

__all__ = ["TOOLS", "handlers"]


def handlers(
    workspace: Workspace, state: Path, allowed: Allowed, *, file_mode: int = 0o644, token: Callable[[], str] = new_token
) -> Mapping[str, AsyncHandler]:
    """The tools over some roots.

    Args:
        workspace: the roots.
        state: where the journal is kept.
        allowed: which commands may run.
        file_mode: the permission bits of a new file.
        token: makes the word around a block.
    """
    journal = Journal(state, workspace.roots)
    Stepper(workspace, journal).settle()
    files = threaded({**Reading(workspace, token=token).handlers(), **Changing(workspace, journal, token, file_mode).handlers()})
    # A turn of its own: while tests run, files can be read.
    return {**files, **threaded(Running(workspace, allowed, token).handlers())}
