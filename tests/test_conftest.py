"""The guards around all tests do guard."""

from __future__ import annotations

import logging
import logging.config
import os
import socket
from pathlib import Path

import anyio
import pytest

from config.credentials import read_secret
from config.logs import set_up_logging
from config.paths import Home
from tests.conftest import logging_left_as_found


def test_a_connection_beyond_this_machine_is_refused():
    with socket.socket() as outside, pytest.raises(AssertionError, match=r"192\.0\.2\.1"):
        outside.connect(("192.0.2.1", 80))


def test_a_name_beyond_this_machine_is_not_looked_up():
    with pytest.raises(AssertionError, match=r"example\.org"):
        socket.getaddrinfo("example.org", 80)


async def test_an_asynchronous_connection_beyond_this_machine_is_refused():
    with pytest.raises(BaseException) as caught:
        await anyio.connect_tcp("192.0.2.1", 80)
    assert "192.0.2.1" in str(caught.value) or isinstance(caught.value, BaseExceptionGroup | OSError)


def test_loopback_works():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert client.getpeername() == server.getsockname()


def test_the_settings_of_whoever_runs_the_tests_are_out_of_reach(home: Home):
    assert read_secret("engine_key", home=home) is None
    assert "nobody" in os.environ["VARIET_HOME"]


def test_what_sets_up_logging_silences_no_test_after_it(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    logger = logging.getLogger("inference.reload")
    with logging_left_as_found():
        set_up_logging("engine", folder=tmp_path / "logs", level=logging.CRITICAL)
        logging.config.dictConfig({"version": 1})
        assert logger.disabled
    logger.warning("heard again")
    assert "heard again" in caplog.text
