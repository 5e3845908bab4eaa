"""Why a server could not be asked, in words for whoever named its address: the wrong scheme, a name nobody knows, a silent machine."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator, Set
from typing import cast
from urllib.parse import urlsplit

_NOT_TLS = {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST"}
"""OpenSSL's names for an answer that is no TLS at all; the second is the first's since OpenSSL 3.2."""
_HUNG_UP = "Server disconnected"
"""What the HTTP client says where a connection ends before an answer begins."""
_SILENT = {errno.ETIMEDOUT, errno.EHOSTUNREACH, getattr(errno, "EHOSTDOWN", errno.EHOSTUNREACH)}
_SILENT_ON_WINDOWS, _NO_WAY_ON_WINDOWS = {121, 1232}, {1231}
"""What Windows says of a connection that asyncio begins there; it makes no errno of these."""
_LATER = {"ReadTimeout", "WriteTimeout", "PoolTimeout"}
"""The HTTP client's names for a wait on a connection that there was: the machine is on, and can be reached."""


def why_unreached(url: str, error: BaseException) -> str | None:
    """What to tell a person who cannot mend it by starting a program there; None where nothing listens, or nobody knows.

    Args:
        url: what was asked.
        error: what the client said; what it was made from counts, too.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or url, parts.port or (443 if parts.scheme == "https" else 80)
    causes = tuple(_causes(error))
    if any(isinstance(each, ssl.SSLError) and each.reason in _NOT_TLS for each in causes):
        return f"What answers at {url} speaks no TLS: its address begins with http://, or it needs a certificate first."
    if any(isinstance(each, socket.gaierror) for each in causes):
        return f"This machine does not find {host}: it is called otherwise, or is in another network. An IP address may do."
    if any(type(each).__name__ in _LATER for each in causes):
        return f"What listens at {url} takes the question and does not answer in time."
    if any(isinstance(each, TimeoutError) or _is_one_of(_SILENT, each, _SILENT_ON_WINDOWS) for each in causes):
        return f"Nothing comes back from {host}: it is off or asleep, or a firewall keeps this machine out (TCP port {port})."
    if any(_is_one_of({errno.ENETUNREACH}, each, _NO_WAY_ON_WINDOWS) for each in causes):
        return f"This machine is in no network that leads to {host}."
    if parts.scheme == "http" and any(isinstance(each, ConnectionResetError) or _HUNG_UP in str(each) for each in causes):
        ends = f"What listens at {url} hangs up without an answer: it is just ending, or it has a certificate"
        return f"{ends}, and its address begins with https://."
    return None


def _is_one_of(numbers: Set[int], error: BaseException, on_windows: Set[int]) -> bool:
    """Of several addresses that failed, asyncio tells the numbers in its words alone."""
    if not isinstance(error, OSError):
        return False
    words = (*(f"[Errno {number}]" for number in numbers), *(f"[WinError {number}]" for number in {*numbers, *on_windows}))
    is_told = getattr(error, "winerror", None) in on_windows or any(each in str(error) for each in words)
    return error.errno in numbers or is_told


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error, and what it was made from, also where several attempts failed."""
    yield error
    within = cast("BaseExceptionGroup[BaseException]", error).exceptions if isinstance(error, BaseExceptionGroup) else ()
    # The client hides what its errors were made from. What the system said had no other cause: beyond it lies what was tried before.
    before = error.__cause__ or (None if isinstance(error, OSError) else error.__context__)
    for each in (*within, *([before] if before is not None else [])):
        yield from _causes(each)
