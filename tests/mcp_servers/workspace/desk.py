"""A workspace in a test's own folder, and its tools called as the host calls them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mcp_servers.errors import Refusal
from mcp_servers.protocol.calls import Call, Outcome, Plan, checked
from mcp_servers.workspace.changing.journal import Journal
from mcp_servers.workspace.changing.stepping import Stepper
from mcp_servers.workspace.changing.tools import Changing
from mcp_servers.workspace.folders.access import Rights, Workspace
from mcp_servers.workspace.looking.tools import Reading
from mcp_servers.workspace.tools import TOOLS
from tests.mcp_servers.calling import NOW

TOKEN = "abc"
SPECS = {spec.name: spec for spec in TOOLS}


class Desk:
    """One workspace with its journal."""

    def __init__(self, folder: Path, *, rights: Rights | None = None, rg: str | None = None) -> None:
        self.root = folder / "project"
        self.root.mkdir(parents=True, exist_ok=True)
        self.state = folder / "state"
        self.workspace = Workspace([self.root], rights, [self.state])
        self.journal = Journal(self.state, self.workspace.roots)
        self.stepper = Stepper(self.workspace, self.journal)
        reading = Reading(self.workspace, lambda: rg, lambda: TOKEN)
        changing = Changing(self.workspace, self.journal, lambda: TOKEN)
        self.tools: dict[str, Callable[[Call], Outcome | Plan]] = {**reading.handlers(), **changing.handlers()}

    def __enter__(self) -> Desk:
        return self

    def __exit__(self, *_: object) -> None:
        self.journal.close()

    def write(self, name: str, content: str | bytes) -> Path:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    def data(self, name: str) -> bytes:
        return (self.root / name).read_bytes()

    def call(self, tool: str, host: dict[str, Any] | None = None, **arguments: Any) -> Outcome | Plan:
        return self.tools[tool](Call(checked(SPECS[tool], arguments), NOW, host or {}))

    def plan(self, tool: str, **arguments: Any) -> Plan:
        plan = self.call(tool, **arguments)
        assert isinstance(plan, Plan)
        return plan

    def carry_out(self, tool: str, plan: Plan) -> str:
        """The approved call, as the host makes it."""
        again = self.call(tool, dict(plan.host), **plan.arguments)
        assert isinstance(again, Plan)
        return again.execute().text

    def text(self, tool: str, **arguments: Any) -> str:
        done = self.call(tool, **arguments)
        return (done.execute() if isinstance(done, Plan) else done).text

    def refusal(self, tool: str, **arguments: Any) -> str:
        with pytest.raises(Refusal) as refused:
            self.text(tool, **arguments)
        return str(refused.value)


def fence(text: str) -> str:
    """The line that opens a block of that text."""
    return f"<<<abc read 2026-11-21T09:15:00+01:00, sha256 {hashlib.sha256(text.encode()).hexdigest()[:16]}"
