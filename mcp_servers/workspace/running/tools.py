"""The tools that run programs: one that the model names, the tests, the checks. Each run is shown to a person first, word for word."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import PurePath
from typing import Any

from mcp_servers.errors import Refusal, Stale
from mcp_servers.protocol import progress
from mcp_servers.protocol.calls import Call, Handler, Outcome, Plan
from mcp_servers.workspace import shape
from mcp_servers.workspace.folders.access import Workspace
from mcp_servers.workspace.folders.refusing import told
from mcp_servers.workspace.folders.textual import visible
from mcp_servers.workspace.model import Place, set_by
from mcp_servers.workspace.running import processes
from mcp_servers.workspace.running.commands import (
    MAX_TIMEOUT_S,
    Allowed,
    Found,
    Known,
    check_allowed,
    checks_of,
    environment,
    environment_for,
    problems_in,
    tests_of,
    words_of,
)
from mcp_servers.workspace.running.processes import Ran

MAX_MANIFEST_BYTES = 256 * 1024
MAX_PROBLEMS = 100
_VENV_PROGRAMS = (
    ".venv/bin/python",
    "venv/bin/python",
    ".venv/Scripts/python.exe",
    ".venv/bin/ruff",
    "venv/bin/ruff",
    ".venv/Scripts/ruff.exe",
)


class Running:
    """The tools over one workspace.

    Args:
        workspace: where.
        allowed: what the settings say.
        token: makes the word around a block.
        of_server: the server's own environment.
    """

    def __init__(
        self, workspace: Workspace, allowed: Allowed, token: Callable[[], str], of_server: Mapping[str, str] = os.environ
    ) -> None:  # fmt: skip
        self._workspace = workspace
        self._allowed = allowed
        self._token = token
        self._env = environment(of_server, allowed, workspace.is_inside, os.pathsep)

    def handlers(self) -> dict[str, Handler]:
        return {"run_command": self.run_command, "run_tests": self.run_tests, "run_checks": self.run_checks}

    def run_command(self, call: Call) -> Plan:
        folder = self._folder(call.text("folder"))
        argv = words_of([str(part) for part in call.arguments["command"]], lambda name: self._is_program(name, folder))
        check_allowed(argv, self._allowed)
        if "/" not in argv[0] and not self._has(argv[0]):
            raise Refusal(
                f'There is no program "{visible(argv[0])}" on this machine. Run another one, or tell the person that it is missing.'
            )
        timeout_s = call.number("timeout", round(self._allowed.timeout_s), round(MAX_TIMEOUT_S))
        arguments = {"command": list(argv), "folder": folder.shown, "timeout": str(timeout_s)}
        return self._plan(call, argv, folder, float(timeout_s), arguments)

    def run_tests(self, call: Call) -> Plan:
        return self._found(call, "tests", self._allowed.tests, tests_of)

    def run_checks(self, call: Call) -> Plan:
        return self._found(call, "checks", self._allowed.checks, checks_of, lists_problems=True)

    def _found(
        self, call: Call, name: str, configured: tuple[str, ...], find: Callable[[Known, Callable[[str], bool]], Found | None],
        *, lists_problems: bool = False,
    ) -> Plan:  # fmt: skip
        place = self._place(call.text("path"))
        top = self._workspace.top(place.root)
        found = Found(configured, takes_path=True) if configured else find(self._known(top), self._has)
        if found is None:
            what = f"No way to run the {name} was found in {top.shown}."
            raise Refusal(f"{what} The person can say it: {set_by(name, f'--{name}')}.")
        argv = found.argv
        if place.parts and not found.takes_path:
            raise Refusal(f"{argv[0]} runs all {name} at once. Leave path out.")
        if place.parts:
            self._workspace.check(place)
            if self._workspace.look(place) is None:
                raise Refusal(f"There is no {place.shown}. Look with list_files.")
            # Not "/".join alone: a name that begins with a dash would be an option.
            argv = (*argv, "./" + "/".join(place.parts))
        arguments = {"path": place.shown} if call.text("path") else {}
        return self._plan(call, argv, top, self._allowed.timeout_s, arguments, lists_problems=lists_problems)

    def _plan(
        self, call: Call, argv: tuple[str, ...], folder: Place, timeout_s: float, arguments: Mapping[str, Any],
        *, lists_problems: bool = False,
    ) -> Plan:  # fmt: skip
        # The tests' command is found afresh at each call: what was approved must be what runs.
        version = hashlib.sha256(json.dumps([argv, self._workspace.path(folder), timeout_s]).encode()).hexdigest()[:32]
        if call.host_text("version") not in {"", version}:
            raise Stale(shape.OTHER_COMMAND)
        line = visible(shlex.join(argv))
        lines = (("Command", line), ("Folder", visible(self._workspace.path(folder))), ("At most", f"{timeout_s:g} s"))

        def execute() -> Outcome:
            ran = self._run(argv, folder, timeout_s)
            output = visible(ran.output.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")).rstrip("\n")
            fields = {"command": list(argv), "exit_code": ran.code, "seconds": round(ran.seconds, 1), "dropped_bytes": ran.dropped}
            problems = {"problems": problems_in(output)[:MAX_PROBLEMS]} if lists_problems else {}
            text = shape.ran_text(line, ran.code, timeout_s, output, shape.Fence(self._token(), call.now))
            return Outcome(text, {**fields, **problems, "untrusted_output": output, "untrusted": True}, is_fenced=True)

        return Plan(arguments, f"Run: {line}", lines, execute, host={"version": version}, may_be_broken_off=True)

    def _run(self, argv: tuple[str, ...], folder: Place, timeout_s: float) -> Ran:
        env = environment_for(argv, self._env)
        with told(folder.shown):
            if os.name != "posix":
                self._workspace.look(folder)
                return processes.run(argv, self._workspace.path(folder), env, timeout_s=timeout_s, check=progress.check)
            with self._workspace.files(folder).opened(folder.parts) as descriptor:
                return processes.run(argv, descriptor, env, timeout_s=timeout_s, check=progress.check)

    def _place(self, said: str) -> Place:
        if not said and len(self._workspace.roots) > 1:
            raise Refusal(f"Say which folder: {', '.join(root.name for root in self._workspace.roots)}.")
        return self._workspace.place(said)

    def _folder(self, said: str) -> Place:
        place = self._place(said)
        self._workspace.check(place)
        found = self._workspace.look(place)
        if found is None or found.kind != "folder":
            raise Refusal(f"{place.shown} is no folder. Look with list_files.")
        return place

    def _is_program(self, name: str, folder: Place) -> bool:
        """Whether it can be run by exactly this name. Of a name that no entry holds nothing is told, unless any command may run."""
        if any(shlex.split(entry)[:1] == [name] for entry in self._allowed.commands) or self._has(name):
            return True
        return "/" in name and "*" in self._allowed.commands and os.path.lexists(PurePath(self._workspace.path(folder)) / name)

    def _has(self, program: str) -> bool:
        return shutil.which(program, path=self._env.get("PATH", "")) is not None

    def _known(self, top: Place) -> Known:
        names = {entry.name for entry in self._workspace.entries(top)}
        # Only whether they are there: these are links to an interpreter elsewhere, and are run by name.
        root = PurePath(self._workspace.path(top))
        names |= {program for program in _VENV_PROGRAMS if program.split("/")[0] in names and os.path.lexists(root / program)}
        texts: dict[str, str] = {}
        for name in names & {"pyproject.toml", "package.json"}:
            with suppress(Refusal):
                content = self._workspace.read(self._workspace.below(top, name), MAX_MANIFEST_BYTES)
                texts[name] = content.data.decode("utf-8", "replace")
        return Known(frozenset(names), texts)
