"""A whole command line in place of a program's name, as small models write it: taken as its words, or told of the form."""

from __future__ import annotations

import pytest

from mcp_servers.workspace.running.commands import APART, words_of
from tests.mcp_servers.workspace.desk import Desk
from tests.mcp_servers.workspace.test_running import PYTHON, plan, ran, refusal, running


def test_a_command_in_one_text_is_the_one_that_the_settings_name(desk: Desk):
    prepared = plan(running(desk, commands=("git status",)), "run_command", command=["git status -s"])
    assert (prepared.summary, prepared.arguments["command"]) == ("Run: git status -s", ["git", "status", "-s"])
    again = plan(running(desk), "run_command", prepared.host, **prepared.arguments)
    assert again.summary == prepared.summary
    said = refusal(running(desk, commands=("git status",)), "run_command", command=["git push --force"])
    assert said.startswith('"git" is not among the commands that may run (git status).')


@pytest.mark.parametrize("line", [f"{PYTHON} -c 'print(1 + 1)'", f'  {PYTHON} -c "print(1 + 1)"  '])
def test_its_quotes_are_read_as_a_shell_reads_them(desk: Desk, line: str):
    assert "\n2\n" in ran(running(desk), line)


@pytest.mark.parametrize(
    "command",
    [
        *(["cd a && make"], ["ls | wc"], ["make > log"], ["echo $HOME"], ["echo `id`"], ["make; make test"], ["make\nmake test"]),
        *(["CI=1 make"], ["echo 'open"], ["dir a\\b"], ["git status", "-s"], ["cd a &&", "make"]),
    ],
)
@pytest.mark.parametrize("allowed", [("*",), ("git status",), ()])
def test_what_needs_a_shell_is_told_of_the_form_and_not_of_the_settings(desk: Desk, command: list[str], allowed: tuple[str, ...]):
    assert refusal(running(desk, commands=allowed), "run_command", command=command) == APART


def test_a_program_whose_name_holds_a_blank_is_run_by_it(desk: Desk):
    desk.write("my tools/say it", "#!/bin/sh\necho said $#\n").chmod(0o755)
    for allowed in ("*", "'my tools/say it'"):
        assert "said 0" in ran(running(desk, commands=(allowed,)), "my tools/say it")
        assert "said 1" in ran(running(desk, commands=(allowed,)), "my tools/say it", "a b")
    assert words_of(["a", "b c"], lambda _: False) == ("a", "b c")
    assert words_of([" "], lambda _: False) == (" ",)
    assert words_of(["ls "], lambda _: False) == ("ls",)
