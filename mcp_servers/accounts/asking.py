"""Requests to the token addresses: bounded in time, size and number, and each failure one sentence without a secret."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import httpx2
from pydantic import SecretStr

from mcp_servers.accounts.failing import LoginNeeded, Unavailable
from mcp_servers.accounts.oauth import Asked, Client, Tokens, Trouble, code_form, refresh_form, tokens_of, trouble_of

CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 10.0
TOTAL_TIMEOUT_S = 25.0
"""For all attempts together: what asks for a token waits for an answer of its own."""
MAX_ANSWER_BYTES = 64 * 1024
PAUSES_S = (0.5, 1.5)
"""Before the second attempt and the third."""


class GrantGone(Exception):
    """Google no longer takes this refresh token or code."""


class TokenAddress:
    """Where tokens are given out and taken back.

    Args:
        token_url: for tokens.
        revocation_url: to end a grant.
        pause: waits so many seconds; the tests' does not.
    """

    def __init__(self, token_url: str, revocation_url: str, *, pause: Callable[[float], None] = time.sleep) -> None:
        self._token_url = token_url
        self._revocation_url = revocation_url
        self._pause = pause

    def redeem(self, asked: Asked, code: SecretStr) -> Tokens:
        """The first tokens. Asked for once: a code is good for one time, also when its answer was lost.

        Raises:
            GrantGone: the code is not taken.
            LoginNeeded: the client is not.
            Unavailable: there was no answer that could be used.
        """
        return self._tokens(code_form(asked, code), pauses=())

    def refresh(self, client: Client, refresh_token: SecretStr) -> Tokens:
        """Another access token; as `redeem`, but asked for again where that may help."""
        return self._tokens(refresh_form(client, refresh_token), pauses=PAUSES_S)

    def revoke(self, token: SecretStr) -> None:
        """End the grant that a token is of. One that is gone already is as good.

        Raises:
            Unavailable: it is not known to be ended.
        """
        try:
            self._post(self._revocation_url, {"token": token.get_secret_value()}, PAUSES_S)
        except GrantGone:
            return

    def _tokens(self, form: Mapping[str, str], *, pauses: tuple[float, ...]) -> Tokens:
        tokens = tokens_of(self._post(self._token_url, form, pauses))
        if tokens is None:
            raise Unavailable(f"{_host(self._token_url)} answered with something that is no token. Try again later.")
        return tokens

    def _post(self, url: str, form: Mapping[str, str], pauses: tuple[float, ...]) -> bytes:
        ends = time.monotonic() + TOTAL_TIMEOUT_S
        for pause in (*pauses, None):
            try:
                return _checked(url, *_once(url, form, ends))
            except Unavailable:
                if pause is None or time.monotonic() + pause >= ends:
                    raise
                self._pause(pause)
        raise AssertionError("the last attempt returns or raises")


def _once(url: str, form: Mapping[str, str], ends: float) -> tuple[int, bytes]:
    left = max(ends - time.monotonic(), 0.1)
    timeout = httpx2.Timeout(min(ANSWER_TIMEOUT_S, left), connect=min(CONNECT_TIMEOUT_S, left))
    try:
        # No redirect is followed and no proxy of the environment asked: what is sent is a secret.
        with (
            httpx2.Client(timeout=timeout, trust_env=False, follow_redirects=False) as http,
            http.stream("POST", url, data=dict(form), headers={"accept": "application/json"}) as reply,
        ):
            return reply.status_code, _body(reply, url, ends)
    except httpx2.HTTPError:
        # Not even its words are passed on: they may hold what was sent.
        raise Unavailable(f"{_host(url)} did not answer. Look whether this machine is online, and try again.") from None


def _body(reply: httpx2.Response, url: str, ends: float) -> bytes:
    body = b""
    for part in reply.iter_bytes():
        body += part
        if len(body) > MAX_ANSWER_BYTES or time.monotonic() > ends:
            raise Unavailable(f"{_host(url)} sent an answer that is too long or too slow. Try again later.")
    return body


def _checked(url: str, status: int, body: bytes) -> bytes:
    if status == 200:
        return body
    trouble, word = trouble_of(status, body)
    match trouble:
        case Trouble.GRANT_GONE:
            raise GrantGone
        case Trouble.CLIENT_WRONG:
            raise LoginNeeded(
                f"{_host(url)} does not take this client ({word}). Look at client_id in [google] of agent.toml and at the secret "
                "google_client_secret."
            )
        case Trouble.BUSY:
            raise Unavailable(f"{_host(url)} is busy or broken ({word}). Try again later.")
        case Trouble.OTHER:
            raise LoginNeeded(f"{_host(url)} refused this ({word}). Look at [google] in agent.toml.")


def _host(url: str) -> str:
    return urlsplit(url).hostname or "the token address"
