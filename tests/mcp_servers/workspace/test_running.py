"""Programs run as they were shown, bounded, without the server's secrets, and leave nothing behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from mcp_servers.errors import Refusal
from mcp_servers.protocol.calls import Call, Plan, checked
from mcp_servers.workspace.looking.tools import Reading
from mcp_servers.workspace.running import commands, processes
from mcp_servers.workspace.running.commands import Allowed, Known, check_allowed, environment, problems_in
from mcp_servers.workspace.running.tools import Running
from tests.mcp_servers.calling import NOW
from tests.mcp_servers.workspace.desk import SPECS, TOKEN, Desk

PYTHON = sys.executable
SERVER = {"PATH": os.environ["PATH"], "HOME": "/nowhere", "API_TOKEN": "canary", "VARIET_ENGINE_KEY": "canary", "LC_ALL": "C.UTF-8"}


def running(desk: Desk, **allowed: object) -> Running:
    return Running(desk.workspace, Allowed(**{"commands": ("*",), **allowed}), lambda: TOKEN, SERVER)  # pyright: ignore[reportArgumentType]


def plan(tools: Running, tool: str, host: Mapping[str, object] | None = None, **arguments: object) -> Plan:
    done = tools.handlers()[tool](Call(checked(SPECS[tool], arguments), NOW, host or {}))
    assert isinstance(done, Plan)
    return done


def ran(tools: Running, *argv: str, **arguments: object) -> str:
    return plan(tools, "run_command", None, command=list(argv), **arguments).execute().text


def refusal(tools: Running, tool: str, **arguments: object) -> str:
    with pytest.raises(Refusal) as refused:
        plan(tools, tool, None, **arguments)
    return str(refused.value)


def test_a_command_is_shown_word_for_word_and_takes_its_arguments_as_they_are(desk: Desk):
    (desk.root / "sub").mkdir()
    prepared = plan(
        running(desk),
        "run_command",
        command=[PYTHON, "-c", "import sys, os; print(sys.argv[1:], os.getcwd())", "$HOME; rm *"],
        folder="sub",
    )
    assert prepared.summary.startswith(f"Run: {PYTHON} -c 'import sys")
    assert dict(prepared.lines)["Folder"] == str(desk.root / "sub")
    text = prepared.execute().text
    assert text.startswith("Exit code 0: ")
    assert f"['$HOME; rm *'] {desk.root / 'sub'}" in text


def test_a_command_sees_none_of_the_servers_secrets_and_reads_nothing(desk: Desk):
    text = ran(running(desk), PYTHON, "-c", "import os, sys; print(sorted(os.environ)); print(repr(sys.stdin.read()))")
    assert "canary" not in text
    assert "TOKEN" not in text
    assert "VARIET" not in text
    assert "'LC_ALL'" in text
    assert "\n''\n" in text
    assert (
        environment({"X": "1", "VARIET_X": "2", "PATH": "/bin::.:x:/usr/bin"}, Allowed(environment=("X", "VARIET_X")))["PATH"]
        == "/bin:/usr/bin"
    )
    assert "VARIET_X" not in environment({"VARIET_X": "2"}, Allowed(environment=("VARIET_X",)))


def test_only_commands_that_the_settings_name_may_run(desk: Desk):
    allowed = Allowed(commands=("git status", "ruff"))
    check_allowed(["git", "status", "-s"], allowed)
    check_allowed(["ruff", "check"], allowed)
    for argv in (["git", "push"], ["git"], ["./ruff"], ["bash", "-c", "git status"], ["git status"]):
        with pytest.raises(Refusal, match="is not among the commands that may run"):
            check_allowed(argv, allowed)
    assert "(none)" in refusal(running(desk, commands=()), "run_command", command=["ls"])
    assert "There is no program" in refusal(running(desk), "run_command", command=["no-such-program-anywhere"])
    assert refusal(running(desk), "run_command", command=["ls"], folder="../..").startswith('"../.." climbs up')


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_git_takes_no_folder_that_a_model_wrote_for_a_repository(desk: Desk):
    """Its `config` would name a program, and a person who allowed `git status` did not allow that."""
    config = "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = .\n\tfsmonitor = touch obeyed; false\n"
    for name, text in (("HEAD", "ref: refs/heads/main\n"), ("config", config), ("objects/x", ""), ("refs/x", "")):
        desk.text("create_file", path=f"evil/{name}", text=text)
    text = ran(running(desk, commands=("git status",)), "git", "status", folder="evil")
    assert text.startswith("Exit code 128: ")
    assert not list(desk.root.rglob("obeyed"))
    subprocess.run(["git", "status"], cwd=desk.root / "evil", check=False, capture_output=True, timeout=60)
    assert list(desk.root.rglob("obeyed")), "what is held off here is nothing that git does"
    # A repository of the person's own is one as before.
    subprocess.run(["git", "init", "-q"], cwd=desk.root, check=True, timeout=60)
    assert ran(running(desk), "git", "status", "--short").startswith("Exit code 0: ")


def test_no_file_of_the_workspace_runs_under_the_name_of_an_allowed_program(desk: Desk, tmp_path: Path):
    """A model may edit a script that runs, and move it to where `PATH` leads."""
    desk.write("scripts/deploy", "#!/bin/sh\necho deployed\n").chmod(0o755)
    desk.text("edit_file", path="scripts/deploy", old_text="deployed", new_text="obeyed")
    desk.text("move_file", path="scripts/deploy", to="venv/bin/harmless")
    (tmp_path / "link").symlink_to(desk.root)
    for folder in (desk.root / "venv" / "bin", tmp_path / "link" / "venv" / "bin"):
        server = {**SERVER, "PATH": f"{folder}:{SERVER['PATH']}"}
        tools = Running(desk.workspace, Allowed(commands=("harmless", "venv/bin/harmless")), lambda: TOKEN, server)
        assert "There is no program" in refusal(tools, "run_command", command=["harmless"])
    # By its path it is what the person allowed.
    assert "obeyed" in ran(tools, "venv/bin/harmless")


def test_no_file_of_the_workspace_is_run_by_a_search(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """Reading is not asked for: what it starts must be nothing that a model may have put there."""
    desk.write("bin/rg", f"#!/bin/sh\ntouch '{desk.root}/obeyed'\n").chmod(0o755)
    monkeypatch.chdir(desk.root / "bin")
    for folder in (str(desk.root / "bin"), "", "."):
        monkeypatch.setenv("PATH", f"{folder}:{SERVER['PATH']}")
        found = Reading(desk.workspace).search_files(Call({"pattern": "touch"}, NOW))
        assert found.structured["count"] == 1
    assert not (desk.root / "obeyed").exists()


@pytest.mark.parametrize(
    ("separator", "path", "kept"),
    [
        (":", "/bin:/opt/a;b:.::/project/venv/bin:/usr/bin", "/bin:/opt/a;b:/usr/bin"),
        (";", r"C:\Windows;.;;bin;C:\project\bin;\bin;D:\tools", r"C:\Windows;D:\tools"),
    ],
)
def test_only_whole_paths_outside_of_the_workspace_lead_to_programs(separator: str, path: str, kept: str):
    env = environment({"PATH": path}, Allowed(), lambda folder: "project" in folder, separator)
    assert env["PATH"] == kept


def test_what_git_is_told_goes_to_git_alone():
    assert commands.environment_for(["/usr/bin/git", "log"], {"A": "1"})["GIT_CONFIG_KEY_0"] == "safe.bareRepository"
    assert commands.environment_for(["C:\\x\\Git.EXE"], {})
    assert commands.environment_for(["pytest", "git"], {"A": "1"}) == {"A": "1"}


def test_a_command_that_takes_too_long_is_ended(desk: Desk):
    assert ran(running(desk), PYTHON, "-c", "import time; time.sleep(600)", timeout="1").startswith("Ended after 1 s: ")


def test_a_command_that_is_given_up_is_ended_with_all_that_it_started(desk: Desk):
    child = "import time, os; os.setsid(); open('pid', 'w').write(str(os.getpid())); time.sleep(600)"
    parent = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {child!r}]); time.sleep(600)"
    pid = desk.root / "pid"

    def give_up_once_it_runs() -> None:
        if pid.exists() and pid.read_text():
            raise InterruptedError

    with desk.workspace.files(desk.workspace.place(".")).opened(()) as folder, pytest.raises(InterruptedError):
        processes.run([PYTHON, "-c", parent], folder, SERVER, timeout_s=60, check=give_up_once_it_runs)
    if sys.platform.startswith("linux"):
        assert _is_gone(int(pid.read_text()))


def test_what_a_command_leaves_behind_is_ended(desk: Desk):
    child = "import time, os; open('pid', 'w').write(str(os.getpid())); time.sleep(600)"
    parent = f"""
import subprocess, sys, time, os
subprocess.Popen([sys.executable, '-c', {child!r}])
while not os.path.exists('pid') or not open('pid').read(): time.sleep(0.01)
"""
    assert ran(running(desk), PYTHON, "-c", parent).startswith("Exit code 0: ")
    assert _is_gone(int((desk.root / "pid").read_text()))


def _is_gone(pid: int) -> bool:
    give_up_at = time.monotonic() + 10
    while time.monotonic() < give_up_at:
        try:
            if Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[0] == "Z":
                return True
            os.kill(pid, 0)
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.05)
    return False


def test_much_output_is_cut_in_its_middle(desk: Desk):
    text = ran(running(desk), PYTHON, "-c", "print('first'); print('x' * 5_000_000); print('last')")
    assert len(text) < 40_000
    assert "first\n" in text
    assert "... output left out ..." in text
    assert "\nlast\n>>>abc" in text


@pytest.mark.parametrize(
    ("code", "said"), [("raise SystemExit(3)", "Exit code 3: "), ("import os; os.kill(os.getpid(), 9)", "Exit code 137: ")]
)
def test_how_it_ended_is_said(desk: Desk, code: str, said: str):
    text = ran(running(desk), PYTHON, "-c", code)
    assert text.startswith(said)
    assert text.endswith("(no output)")


def test_what_a_command_says_cannot_redraw_or_hide(desk: Desk):
    assert "a<U+001B>[2Jb<U+202E>" in ran(running(desk), PYTHON, "-c", "print('a\\x1b[2Jb\\u202e')")


def test_the_command_that_was_approved_is_the_one_that_runs(desk: Desk):
    desk.write("pyproject.toml", "[tool.pytest.ini_options]\n")
    tools = running(desk, tests=("echo", "one"))
    prepared = plan(tools, "run_tests")
    assert prepared.arguments == {}
    assert "one" in plan(tools, "run_tests", host=dict(prepared.host)).execute().text
    with pytest.raises(Refusal, match="Another command would run by now"):
        plan(running(desk, tests=("echo", "two")), "run_tests", host=dict(prepared.host))


@pytest.mark.parametrize(
    ("names", "texts", "tests", "checks"),
    [
        ({"pyproject.toml", "tests"}, {}, ("pytest", "-q"), ("ruff", "check", "--no-fix", "--output-format=concise")),
        ({"setup.py", "tests", ".venv/bin/python"}, {}, (".venv/bin/python", "-m", "pytest", "-q"), None),
        (
            {"package.json"},
            {"package.json": '{"scripts": {"test": "x", "lint": "y"}}'},
            ("npm", "test", "--silent"),
            ("npm", "run", "lint", "--silent"),
        ),
        ({"package.json"}, {"package.json": '["not", "that"'}, None, None),
        ({"Cargo.toml"}, {}, ("cargo", "test", "--quiet"), ("cargo", "check", "--quiet", "--message-format=short")),
        ({"README.md"}, {}, None, None),
    ],
)
def test_tests_and_checks_are_found(names: set[str], texts: dict[str, str], tests: tuple[str, ...] | None, checks: tuple[str, ...] | None):
    known = Known(frozenset(names), texts)
    found = commands.tests_of(known, lambda _: True), commands.checks_of(known, lambda _: True)
    assert (found[0].argv if found[0] else None) == tests
    assert checks is None or (found[1].argv if found[1] else None) == checks
    assert commands.tests_of(Known(frozenset({"tests", "setup.py"}), {}), lambda _: False) is None


def test_checks_give_their_findings_as_fields_and_a_path_is_never_an_option(desk: Desk):
    desk.write("-rf", "x")
    script = desk.write(
        "check.py", "import sys\nprint('src/a.py:3:7: F401 unused import')\nprint('src/b.py:9: error: bad')\nprint(sys.argv[1:])\n"
    )
    tools = running(desk, checks=(PYTHON, str(script)))
    outcome = plan(tools, "run_checks", path="-rf").execute()
    assert "['./-rf']" in outcome.text
    assert outcome.structured["problems"] == [
        {"path": "src/a.py", "line": 3, "column": 7, "untrusted_text": "F401 unused import"},
        {"path": "src/b.py", "line": 9, "untrusted_text": "error: bad"},
    ]
    assert problems_in("no problem here\n") == []
    assert "No way to run the tests was found" in refusal(running(desk), "run_tests")
    assert refusal(tools, "run_checks", path="gone") == "There is no gone. Look with list_files."


@pytest.mark.parametrize("trouble", [FileNotFoundError("taskkill"), subprocess.TimeoutExpired("taskkill", 8.0)])
def test_on_windows_a_command_is_ended_also_without_a_taskkill_that_answers(
    trouble: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def fails(command: list[str], **_: object) -> None:
        asked.append(command[0])
        raise trouble

    monkeypatch.setattr(processes.subprocess, "run", fails)
    monkeypatch.setattr(processes, "END_BOUND_S", 0.2)
    # A folder by its path is how it goes there.
    sleeps = [PYTHON, "-c", "import time; time.sleep(600)"]
    done = processes.run(sleeps, str(tmp_path), dict(os.environ), timeout_s=0.2, check=lambda: None)
    assert (done.code, asked) == (None, ["taskkill"])
