"""A program that is told to end cleans up, once, and says so with its exit code."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.usefixtures("hang_up_counts")
PROGRAM = """
import sys
import anyio
from agent.farewell import run_until_told

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
def test_what_its_starter_had_ignored_stays_ignored():
    # As `nohup` starts it: the terminal's end is not its end.
    by_nohup = "import signal\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n" + PROGRAM
    with subprocess.Popen([sys.executable, "-c", by_nohup], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        try:
            assert child.stdout.readline() == "ready\n"
            child.send_signal(signal.SIGHUP)
            with pytest.raises(subprocess.TimeoutExpired):
                child.wait(0.5)
            child.send_signal(signal.SIGTERM)
            assert child.stdout.read() == "cleaning\nclean\n"
            assert child.wait(30) == 128 + signal.SIGTERM
            assert child.stderr.read() == ""
        finally:
            child.kill()
