"""The workspace server as a real MCP client meets it over standard input and output."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from mcp import Client, StdioServerParameters

from agent.tools.launches import server_specs
from config.load import load_agent
from config.paths import Home
from tests.mcp_servers.test_serving import BOUND_S, PREPARE, call, check_garbage, check_list, structured, text_of, whole_text


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "app.py").write_text("def main():\n    return 1\n")
    (folder / "test_app.py").write_text("")
    return folder


@asynccontextmanager
async def connected(project: Path, *options: str) -> AsyncGenerator[Client]:
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "mcp_servers.workspace", "--root", str(project), *options],
        env={"VARIET_HOME": str(project.parent / "home"), "PATH": os.environ["PATH"], "SOME_TOKEN": "canary"},
    )
    with anyio.fail_after(BOUND_S):
        async with Client(command, read_timeout_seconds=BOUND_S) as client:
            yield client


async def test_a_change_is_shown_carried_out_once_and_undone(project: Path):
    async with connected(project) as client:
        await check_list(client, "workspace")
        assert "return 1" in text_of(await call(client, "read_file", {"path": "app.py"}))
        edit = {"path": "app.py", "old_text": "    return 1\n", "new_text": "    return 2\n"}
        prepared = structured(await call(client, "edit_file", edit, **PREPARE))["prepared"]
        assert "-    return 1\n+    return 2" in dict(prepared["lines"])["Diff"]
        assert "return 1" in (project / "app.py").read_text()
        for _ in range(2):
            done = await call(client, "edit_file", prepared["arguments"], **{"variet/host": prepared["host"]})
            # Nothing in it is anybody else's but the diff beside it.
            assert whole_text(done) == "Done: Edit app.py (1 line added, 1 removed), change c1."
        assert "return 2" in (project / "app.py").read_text()
        undone = await call(client, "undo_change", {})
        assert whole_text(undone) == "Done: Undo c1 (Edit app.py) (1 line added, 1 removed), change c2."
        assert "return 1" in (project / "app.py").read_text()
        await check_garbage(client, "workspace")


async def test_nothing_outside_is_reached_and_a_command_runs_without_secrets(project: Path):
    (project.parent / "outside").write_text("SECRET")
    (project / "link").symlink_to(project.parent / "outside")
    async with connected(project, "--allow-command", sys.executable, "--timeout", "20") as client:
        for path in ("../outside", str(project.parent / "outside"), "link"):
            refused = await call(client, "read_file", {"path": path})
            assert refused.is_error
            assert "SECRET" not in text_of(refused)
        code = "import os; print(sorted(os.environ)); print(os.getcwd())"
        ran = await call(client, "run_command", {"command": [sys.executable, "-c", code]})
        assert structured(ran)["exit_code"] == 0
        assert "TOKEN" not in text_of(ran)
        assert "VARIET" not in text_of(ran)
        assert str(project) in text_of(ran)
        assert (await call(client, "run_command", {"command": ["ls"]})).is_error


async def test_a_command_that_its_client_gives_up_is_ended(project: Path):
    code = "import time, os; open('pid', 'w').write(str(os.getpid())); time.sleep(600)"
    async with connected(project, "--allow-command", "*") as client:
        pid = 0
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call, client, "run_command", {"command": [sys.executable, "-c", code]})
            pid = await anyio.to_thread.run_sync(_pid_in, project / "pid")
            tasks.cancel_scope.cancel()
        await anyio.to_thread.run_sync(_wait_gone, pid)


def _pid_in(file: Path) -> int:
    give_up_at = time.monotonic() + BOUND_S / 2
    while not file.exists() or not file.read_text(encoding="utf-8"):
        assert time.monotonic() < give_up_at, "the command has not started"
        time.sleep(0.05)
    return int(file.read_text(encoding="utf-8"))


def _wait_gone(pid: int) -> None:
    give_up_at = time.monotonic() + 20
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        assert time.monotonic() < give_up_at, "the command is still there"
        time.sleep(0.05)


def test_without_a_folder_it_does_not_start_and_says_what_is_missing(tmp_path: Path):
    ran = subprocess.run(
        [sys.executable, "-m", "mcp_servers.workspace"],
        env={"VARIET_HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True, text=True, timeout=BOUND_S, check=False,
    )  # fmt: skip
    assert ran.returncode == 1
    assert "Name a folder: --root DIR, or workspace.roots in agent.toml." in ran.stderr


def test_the_settings_name_the_server_and_everything_that_it_is_told(tmp_path: Path):
    file = tmp_path / "agent.toml"
    file.write_text(
        '[servers.workspace]\nbuiltin = "workspace"\n[workspace]\nroots = ["code"]\nhard_links = true\n'
        'commands = ["git status"]\nsecrets = ["*.pem"]\ntests = ["make", "a b"]\ntimeout_s = 9\n'
    )
    assert "workspace" not in load_agent(environ={}, home=Home.at(tmp_path / "home")).servers
    [spec] = [spec for spec in server_specs(Home.at(tmp_path), load_agent(file, environ={})) if spec.name == "workspace"]
    assert spec.builtin == "workspace"
    assert list(spec.command[1:]) == [
        "-P", "-m", "mcp_servers.workspace", f"--root={tmp_path / 'code'}", "--allow-secret=*.pem", "--allow-command=git status",
        "--allow-hard-links", "--tests=make 'a b'", "--checks=", "--timeout=9.0",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        (
            (),
            "may run (git). The person can add it: workspace.commands in agent.toml, or --allow-command where the server is",
        ),
        (("--allow-command", "ls"), '"true" is not among the commands that may run (ls).'),
        (("--root", "project"), '"true" is not among the commands that may run (none).'),
    ],
)
async def test_an_option_counts_before_what_is_configured_and_another_root_has_none_of_it(
    project: Path, options: tuple[str, ...], refused: str
):
    home = project.parent / "home"
    (home / "config").mkdir(parents=True)
    said = f'[workspace]\nroots = ["{project.as_posix()}"]\ncommands = ["git"]\n'
    (home / "config" / "agent.toml").write_text(said, encoding="utf-8")
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "mcp_servers.workspace", *options],
        env={"VARIET_HOME": str(home), "PATH": os.environ["PATH"]},
        cwd=str(project.parent),
    )
    with anyio.fail_after(BOUND_S):
        async with Client(command, read_timeout_seconds=BOUND_S) as client:
            assert refused in text_of(await call(client, "run_command", {"command": ["true"]}))
