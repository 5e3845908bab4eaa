"""Ctrl-Z at a prompt gives the terminal back to the shell, and `fg` the chat with what was typed."""

from __future__ import annotations

import re
import shutil
import sys

import anyio
import pytest
from prompt_toolkit.application import Application

from config.paths import Home
from tests.bots.conftest import end_leftover
from tests.bots.terminal import needs_tmux, terminal
from tests.bots.test_pasting import BOUND_S, NEEDED, typing

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no shell suspends there")
IN_A_SHELL = 'set -m; "$@"; echo code $?; read _; fg; echo left $?'
"""Bash with jobs: it goes on when its program is stopped."""


@pytest.mark.anyio
async def test_it_is_no_part_of_a_message_nor_of_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    suspended: list[object] = []

    def suspend(app: object) -> None:
        suspended.append(app)

    monkeypatch.setattr(Application, "suspend_to_background", suspend)
    with anyio.fail_after(BOUND_S), typing() as (person, keys, _):
        keys.send_text("h\x1ai\r")
        assert await person.read() == "hi"
        async with anyio.create_task_group() as tasks:

            async def answer() -> None:
                await anyio.sleep(0.2)
                keys.send_text("\x1ay\r")

            tasks.start_soon(answer)
            assert await person.approve(NEEDED) == "yes"
    assert len(suspended) == 2


@needs_tmux
@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_the_shell_has_the_terminal_until_it_is_brought_back(home: Home) -> None:
    command = ["bash", "--norc", "-c", IN_A_SHELL, "bash", sys.executable, "-m", "tests.fakes.variet", "chat"]
    try:
        with terminal(command, home.environment()) as chat:
            chat.see(">")
            chat.type("hel")
            chat.press("C-z")
            # 128 and the signal that stopped it.
            chat.see("code 1")
            chat.press("Enter")
            # The line was taken away meanwhile, and comes back.
            chat.see("> hel")
            chat.type("lo")
            chat.press("Enter")
            assert re.search(r"^> hello *$", chat.see("Hello there"), re.MULTILINE)
            chat.press("C-d")
            chat.see("left 0")
    finally:
        end_leftover(home)
