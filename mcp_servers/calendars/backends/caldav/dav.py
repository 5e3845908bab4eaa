"""Requests to one account's WebDAV server: bounded in time and size, never to another house, each failure one sentence.

The password goes only to the configured host and to others of the same domain, over TLS unless the host is this
machine or the settings allow otherwise. Nothing that is asked or answered is logged.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

import httpx2
from pydantic import SecretStr

from mcp_servers.abandoning import Trace, Wait
from mcp_servers.calendars.shape import STALE
from mcp_servers.errors import Exists, Missing, Refusal, Stale, Unanswered
from mcp_servers.protocol import progress
from mcp_servers.protocol.hanging_up import Lines

CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 20.0
"""Until the first byte, and between two; a server that unfolds a busy year takes seconds."""
TOTAL_TIMEOUT_S = 40.0
"""For one whole answer, also of a server that sends it drop by drop."""
MAX_ANSWER_BYTES = 32 * 1024 * 1024
MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 307, 308})
_STALE_CODES = frozenset({404, 409, 410, 412})
_MISSING_CODES = frozenset({404, 405, 410, 501})
_BUSY_CODES = frozenset({429, 503})
_OF_ALL_CODES = frozenset({401, 504, *_BUSY_CODES})
"""What a server answers wherever it is asked, or a proxy after a long wait that would come with each calendar anew."""
_DEFAULT_PORTS = {"http": 80, "https": 443}


def secret_name(account: str) -> str:
    """The secret that holds an account's password."""
    return f"caldav_{account}_password"


@dataclass(frozen=True)
class Login:
    """Where and as whom."""

    account: str
    url: str
    user: str
    password: Callable[[], SecretStr | None]
    """Asked when it is needed, and again when the server refused it."""
    allow_plain_http: bool = False


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    content: bytes
    url: str
    """After redirects."""


class RefusedHere(Refusal):
    """That address is refused, or fails: others of the same server may answer."""


class Dav:
    """One account's server. Not for use by two threads at once.

    Raises:
        Refusal: the address must not be used.
    """

    def __init__(self, login: Login, *, transport: httpx2.BaseTransport | None = None) -> None:
        _check_address(login)
        self.account = login.account
        self.url = login.url
        self._login = login
        self._auth: httpx2.Auth | None = None
        timeout = httpx2.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        self._http = httpx2.Client(timeout=timeout, trust_env=False, follow_redirects=False, transport=transport)
        self._lines = Lines()

    def close(self) -> None:
        self._http.close()

    def ask(self, method: str, url: str, body: str = "", *, depth: str = "0") -> Reply:
        """A question: PROPFIND, REPORT, OPTIONS or GET, redirects followed.

        Raises:
            Refusal: it was not answered; the sentence says why.
        """
        headers = {"Depth": depth, "Content-Type": "application/xml; charset=utf-8"}
        for _ in range(MAX_REDIRECTS + 1):
            reply = self._once(method, url, body.encode(), headers)
            if reply.status not in _REDIRECTS:
                return self._checked(reply)
            url = self.absolute(reply.headers.get("location", ""), reply.url)
        raise RefusedHere(f'The calendar server of "{self.account}" sends from one address to the next. Check its url in agent.toml.')

    def write(self, method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Reply:
        """A change: PUT or DELETE, made once and never repeated.

        Raises:
            Exists: `If-None-Match` was given and there is one.
            Stale: `If-Match` was given and it is another by now.
            Unanswered: whether it was made is not known.
            Refusal: it was not made.
        """
        given = dict(headers or {})
        reply = self._once(method, url, body, {"Content-Type": "text/calendar; charset=utf-8", **given})
        if reply.status in _STALE_CODES and "If-None-Match" in given:
            raise Exists(f'"{self.account}" already has an event of that name. Look at it there.')
        if reply.status in _STALE_CODES:
            raise Stale(STALE)
        if reply.status in _REDIRECTS:
            raise Refusal(f'The calendars of "{self.account}" have moved. Check its url in agent.toml.')
        return self._checked(reply)

    def absolute(self, href: str, base: str) -> str:
        """An address out of an answer.

        Raises:
            Refusal: it is another house's.
        """
        url = _kept_safe(urljoin(base, href), base)
        here, there = urlsplit(self._login.url), urlsplit(url)
        is_ours = there.scheme == "https" and _is_same_domain(here.hostname, there.hostname)
        if there.username is not None or not (is_ours or _origin(here) == _origin(there)):
            target = there.hostname if there.hostname != here.hostname else f"{there.scheme}://{there.netloc.rpartition('@')[2]}"
            raise RefusedHere(f'The calendar server of "{self.account}" sends to {target}. Set that as its url if it is right.')
        return url

    def _once(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        auth = self._auth = self._auth or httpx2.BasicAuth(self._login.user, self._password())
        reply = self._bounded(method, url, body, headers, auth)
        offered = reply.headers.get("www-authenticate", "").lower()
        if reply.status == 401 and isinstance(auth, httpx2.BasicAuth) and offered.startswith("digest"):
            auth = self._auth = httpx2.DigestAuth(self._login.user, self._password())
            reply = self._bounded(method, url, body, headers, auth)  # refused before: nothing is made twice
        if reply.status == 401:
            self._auth = None
        return reply

    def _password(self) -> str:
        password = self._login.password()
        if password is None:
            raise Refusal(f'The calendar account "{self.account}" has no password. Keep it as the secret {secret_name(self.account)}.')
        return password.get_secret_value()

    def _bounded(self, method: str, url: str, body: bytes, headers: Mapping[str, str], auth: httpx2.Auth) -> Reply:
        progress.check()
        wait = Wait(self._lines.hang_up)
        trace = wait.unless_left(self._lines.trace)
        reply = wait.of(lambda: self._answered(method, url, body, headers, auth, trace))
        progress.check()
        return reply

    def _answered(self, method: str, url: str, body: bytes, headers: Mapping[str, str], auth: httpx2.Auth, trace: Trace) -> Reply:
        give_up_at, told = time.monotonic() + TOTAL_TIMEOUT_S, {"trace": trace}
        try:
            with self._http.stream(method, url, content=body, headers=dict(headers), auth=auth, extensions=told) as response:
                parts: list[bytes] = []
                size = 0
                for part in response.iter_bytes():
                    parts.append(part)
                    size += len(part)
                    if size > MAX_ANSWER_BYTES:
                        raise RefusedHere(f'The answer of "{self.account}" is too large. Ask for a shorter period.')
                    if time.monotonic() > give_up_at:
                        raise Unanswered(self._silent_text())
                return Reply(response.status_code, dict(response.headers), b"".join(parts), url)
        except httpx2.ConnectTimeout as error:
            raise Refusal(_no_connection_text(self.account, "")) from error
        except httpx2.TimeoutException as error:
            raise Unanswered(self._silent_text()) from error
        except httpx2.ConnectError as error:
            raise Refusal(_no_connection_text(self.account, str(error))) from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise Unanswered(f'The calendar server of "{self.account}" broke off. Try again.') from error

    def _silent_text(self) -> str:
        return f'The calendar server of "{self.account}" did not answer in time. Try again later.'

    def _checked(self, reply: Reply) -> Reply:
        if reply.status < 300:
            return reply
        if reply.status in _MISSING_CODES:
            raise Missing(f'"{self.account}" has nothing at that address. Check its url in agent.toml.')
        raise (Refusal if reply.status in _OF_ALL_CODES else RefusedHere)(self._refused_text(reply))

    def _refused_text(self, reply: Reply) -> str:
        who = f'The calendar server of "{self.account}"'
        if reply.status == 401:
            return f"{who} refuses the user or the password. Set the secret {secret_name(self.account)} again."
        if reply.status == 403:
            return f"{who} does not allow that. Ask whose calendar it is to let you. Nothing was done."
        if reply.status in _BUSY_CODES:
            after = reply.headers.get("retry-after", "")
            return f"{who} is busy. Try again {f'in {after} s' if after.isdecimal() else 'later'}."
        if reply.status == 507:
            return f"{who} has no room left. Delete something there."
        if reply.status >= 500:
            return f"{who} failed (HTTP {reply.status}). Try again later."
        return f"{who} refused the request (HTTP {reply.status}). Check its url in agent.toml."


def _no_connection_text(account: str, reason: str) -> str:
    if "certificate" in reason.lower():
        return f'The certificate of the calendar server of "{account}" is not trusted. Check its url in agent.toml.'
    return f'The calendar server of "{account}" cannot be reached. Check the network and its url in agent.toml.'


def _check_address(login: Login) -> None:
    url = urlsplit(login.url)
    if url.username is not None:
        raise Refusal(f'The url of the calendar account "{login.account}" names a user. Set user, and keep the password as a secret.')
    if url.scheme != "https" and not login.allow_plain_http and not _is_this_machine(url.hostname or ""):
        unsafe = f'The password of the calendar account "{login.account}" would travel unprotected.'
        raise Refusal(f"{unsafe} Use an https url, or set allow_plain_http.")


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _kept_safe(url: str, base: str) -> str:
    """The same place over TLS, where a server that was asked over TLS sends to itself without.

    Behind a proxy that ends TLS it sees plain http and takes that for its own address, as those in containers do.
    """
    here, there = urlsplit(base), urlsplit(url)
    is_itself = there.hostname == here.hostname and there.username is None and _port(there) in {80, _port(here)}
    return (
        there._replace(scheme="https", netloc=here.netloc).geturl()
        if (here.scheme, there.scheme, is_itself) == ("https", "http", True)
        else url
    )


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    return url.scheme, url.hostname, _port(url)


def _port(url: SplitResult) -> int | None:
    try:
        return url.port or _DEFAULT_PORTS.get(url.scheme)
    except ValueError:
        return None


def _is_same_domain(host: str | None, other: str | None) -> bool:
    """`caldav.example.org` and `p12.example.org`, which is how large houses divide their users."""
    parent = (host or "").partition(".")[2]
    return "." in parent and (other == parent or (other or "").endswith(f".{parent}"))
