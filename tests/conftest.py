"""What every test has: asyncio under anyio, no network but loopback, and no settings or secrets of whoever runs the tests."""

from __future__ import annotations

import ipaddress
import logging
import os
import signal
import socket
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from config.paths import HOME_VARIABLE, Home

# A busy machine makes a single example slow, which says nothing about the code; CI tries the same examples every time.
settings.register_profile("house", deadline=None, derandomize="CI" in os.environ, print_blob=True)
settings.load_profile("house")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def _nobodys_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for variable in [name for name in os.environ if name.startswith(("VARIET_", "OTEL_"))]:
            patch.delenv(variable)
        patch.setenv(HOME_VARIABLE, str(tmp_path_factory.mktemp("nobody")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _nobodys_accounts() -> Iterator[None]:
    """No test can reach a real keyring, also not in a child process, nor show a page to whoever runs the tests."""

    def refuse(url: str, *_: object, **__: object) -> bool:
        raise AssertionError(f"A test opened a browser at {url[:40]!r}.")

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
        patch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
        patch.setattr(webbrowser, "open", refuse)
        yield


@pytest.fixture(autouse=True)
def _code_as_it_is() -> None:
    """Somebody may work on the code while its tests run: each goes by what is there when it begins, as the services that it starts do."""
    if addresses := sys.modules.get("agent.service.address"):
        addresses.own_version.cache_clear()


@pytest.fixture(autouse=True)
def _nobodys_logging() -> Iterator[None]:
    with logging_left_as_found():
        yield


@contextmanager
def logging_left_as_found() -> Iterator[None]:
    """Undo what the body does to logging: a command line sets it up for its process, and a tool may switch off every logger."""
    root = logging.getLogger()
    found = (root.level, list(root.handlers), {logger: logger.disabled for logger in _loggers()})
    try:
        yield
    finally:
        root.setLevel(found[0])
        for added in set(root.handlers) - set(found[1]):
            added.close()
        root.handlers[:] = found[1]
        for logger in _loggers():
            logger.disabled = found[2].get(logger, False)


def _loggers() -> list[logging.Logger]:
    return [each for each in logging.Logger.manager.loggerDict.values() if isinstance(each, logging.Logger)]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home of the test's own, which child processes find with `home.environment()`."""
    return Home.at(tmp_path / "home").prepare()


@pytest.fixture(scope="session", autouse=True)
def _loopback_only() -> Iterator[None]:
    connect, connect_ex, getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        _refuse_outside(self.family, address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        _refuse_outside(self.family, address)
        return connect_ex(self, address)

    def guarded_getaddrinfo(host: Any, *rest: Any, **options: Any) -> Any:
        if not _is_local(host):
            raise OutsideNetworkError(f"A test looked up {host!r}.")
        return getaddrinfo(host, *rest, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
        patch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)
        yield


class OutsideNetworkError(AssertionError):
    """A test tried to reach beyond this machine."""


def _refuse_outside(family: int, address: Any) -> None:
    if family in (socket.AF_INET, socket.AF_INET6) and not _is_local(address[0]):
        raise OutsideNetworkError(f"A test connected to {address[0]!r}.")


def _is_local(host: Any) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


@pytest.fixture
def hang_up_counts() -> Iterator[None]:
    """Also where the tests run under `nohup`, whose programs begin with that signal ignored."""
    if sys.platform == "win32":
        yield
        return
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)
