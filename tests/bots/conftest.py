"""A chat in a real terminal, with the runtime in memory behind the real service."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from agent.launch import is_running
from agent.service.address import Address
from config.paths import Home
from tests.bots.terminal import Terminal, terminal

START_BOUND_S = 90.0
"""On a busy machine."""
LEAVE_BOUND_S = 20.0
LOOK_S = 0.05

OpenChat = Callable[..., Terminal]


@pytest.fixture
def open_chat(home: Home) -> Iterator[OpenChat]:
    with ExitStack() as stack:

        def _open(*arguments: str, width: int = 80, height: int = 24, **environment: str) -> Terminal:
            command = [sys.executable, "-m", "tests.fakes.variet", "chat", *arguments]
            return stack.enter_context(terminal(command, {**home.environment(), **environment}, width=width, height=height))

        yield _open
    end_leftover(home)


def await_service(home: Home) -> None:
    """Wait until the home's service can be reached, so that no front-end starts another or goes by the settings alone."""
    end = time.monotonic() + START_BOUND_S
    while Address.read(home) is None:
        assert time.monotonic() < end, "the service did not start"
        time.sleep(LOOK_S)


def end_leftover(home: Home) -> None:
    """End a service that a test left running."""
    address = Address.read(home)
    if address is None or not is_running(address.pid):
        return
    os.kill(address.pid, signal.SIGTERM)
    end = time.monotonic() + LEAVE_BOUND_S
    while is_running(address.pid):
        assert time.monotonic() < end, "the service did not leave"
        time.sleep(LOOK_S)
