"""Why a machine could not be asked: each cause has a sentence of its own, however deep the client hid it."""

from __future__ import annotations

import errno
import socket
import ssl

import httpx2
import pytest

from config.network.reach import why_unreached

URL = "http://bigbox.local:8000"


def made_of(cause: BaseException, outer: type[Exception] = httpx2.ConnectError) -> Exception:
    """As a client raises it."""
    try:
        try:
            raise cause
        except type(cause):
            raise outer(str(cause)) from None
    except outer as error:
        return error


def not_tls() -> ssl.SSLError:
    error = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number")
    error.reason = "WRONG_VERSION_NUMBER"
    return error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (made_of(not_tls()), "speaks no TLS"),
        (made_of(socket.gaierror(-2, "Name or service not known")), "does not find bigbox.local"),
        (made_of(TimeoutError("timed out"), httpx2.ConnectTimeout), "firewall keeps this machine out (TCP port 8000)"),
        (made_of(OSError(errno.EHOSTUNREACH, "No route to host")), "off or asleep"),
        (
            made_of(OSError(f"Multiple exceptions: [Errno {errno.EHOSTUNREACH}] Connect call failed, [Errno {errno.ENETUNREACH}] no")),
            "off or asleep",
        ),
        (made_of(OSError(errno.ENETUNREACH, "Network is unreachable")), "in no network that leads to bigbox.local"),
        (made_of(OSError("[WinError 121] The semaphore timeout period has expired")), "off or asleep"),
        (made_of(OSError("[WinError 1231] The network location cannot be reached")), "in no network that leads to bigbox.local"),
        (made_of(ExceptionGroup("all", [OSError("x"), TimeoutError()])), "off or asleep"),
        (made_of(TimeoutError("timed out"), httpx2.ReadTimeout), "does not answer in time"),
        (httpx2.RemoteProtocolError("Server disconnected without sending a response."), "begins with https://"),
        (made_of(ConnectionResetError(errno.ECONNRESET, "reset"), httpx2.ReadError), "begins with https://"),
    ],
)
def test_each_cause_has_its_sentence(error: Exception, told: str):
    assert told in (why_unreached(URL, error) or "")


@pytest.mark.parametrize("error", [made_of(ConnectionRefusedError(errno.ECONNREFUSED, "refused")), httpx2.ConnectError("refused")])
def test_where_nothing_listens_or_nobody_knows_the_caller_says_what_to_start(error: Exception):
    assert why_unreached(URL, error) is None


def test_what_was_tried_before_counts_for_nothing():
    earlier, now = socket.gaierror(-2, "Name or service not known"), ConnectionRefusedError(errno.ECONNREFUSED, "refused")
    now.__context__ = made_of(earlier)
    assert why_unreached(URL, made_of(now)) is None


def test_a_reset_behind_a_certificate_says_nothing_of_the_scheme():
    assert why_unreached("https://bigbox.local:8000", made_of(ConnectionResetError(errno.ECONNRESET, "reset"), httpx2.ReadError)) is None
