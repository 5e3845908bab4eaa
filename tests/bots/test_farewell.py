"""A front-end that is told to end cleans up, once, and says so with its exit code."""

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

PROGRAM = """
import sys
import anyio
from bots.farewell import run_until_told

async def main():
    try:
        print("ready", flush=True)
        # As a chat has it: something waits, and something else never stops working.
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(busy)
            await anyio.sleep_forever()
    finally:
        with anyio.CancelScope(shield=True):
            print("cleaning", flush=True)
            await anyio.sleep(0.3)
            print("clean", flush=True)

async def busy():
    while True:
        sum(range(10_000))
        await anyio.sleep(0)

run_until_told(main)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_cancels_and_a_second_one_does_not_cut_the_clean_up_short(name: str):
    number = getattr(signal, name)
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        try:
            assert child.stdout.readline() == "ready\n"
            child.send_signal(number)
            assert child.stdout.readline() == "cleaning\n"
            child.send_signal(number)
            assert child.stdout.readline() == "clean\n"
            assert child.wait(30) == 128 + number
            assert child.stderr.read() == ""
        finally:
            child.kill()


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
