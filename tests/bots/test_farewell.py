"""A chat that is told to end cleans up and says so with its exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

START_BOUND_S = 90.0
"""On a busy machine."""
LEAVE_BOUND_S = 10.0


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_a_demo_that_is_left_while_its_service_starts_leaves_no_folder_and_no_service_behind(tmp_path: Path):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "tests.fakes.variet", "chat", "--demo", "--seed", "7"]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as chat:
        try:
            end = time.monotonic() + START_BOUND_S
            while not list(tmp_path.glob("variet-demo-*/logs/service.log")):
                assert time.monotonic() < end, "no service was started"
                time.sleep(0.01)
            chat.send_signal(signal.SIGTERM)
            assert chat.wait(START_BOUND_S) == 128 + signal.SIGTERM
            assert list(tmp_path.glob("variet-demo-*")) == []
            # What is still to come would have come by then.
            time.sleep(1.0)
            assert list(tmp_path.glob("variet-demo-*")) == []
        finally:
            chat.kill()


CHAT = """
import signal
import sys
from agent.farewell import run_until_told
from bots.repl.typed.pipe import PipePerson

async def talk():
    person = PipePerson()
    print(await person.read(), flush=True)
    await person.read()

# A shell has it ignored in its background jobs, such as this suite may be.
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    run_until_told(talk)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_chat_in_a_pipe_that_stays_open_ends_when_it_is_told_to(number: signal.Signals, code: int) -> None:
    with subprocess.Popen([sys.executable, "-c", CHAT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as chat:
        try:
            assert chat.stdin is not None
            assert chat.stdout is not None
            assert chat.stderr is not None
            chat.stdin.write(b"hello\n")
            chat.stdin.flush()
            assert chat.stdout.readline() == b"hello\n"
            chat.send_signal(number)
            assert chat.wait(LEAVE_BOUND_S) == code
            assert chat.stderr.read() == b""
        finally:
            chat.kill()
