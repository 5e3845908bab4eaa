"""Asks the configured SearXNG instances, one after the other, until one answers.

They may be inside the house: the person named them. Nothing that an instance says leads anywhere else: no redirect is followed.
"""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import anyio

from mcp_servers.errors import Refusal
from mcp_servers.outside.unpacking import Body
from mcp_servers.protocol import progress
from mcp_servers.searxng import shape
from mcp_servers.searxng.answers import answer_of
from mcp_servers.searxng.circuit import LONGEST_REST_S, Circuit
from mcp_servers.searxng.model import Answer
from mcp_servers.searxng.naming import login_of, moved_to, named

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 3.0
"""An instance at home connects in milliseconds, one across the world in less than this."""
ANSWER_TIMEOUT_S = 12.0
"""SearXNG itself gives its engines up to 10 seconds."""
ALL_TIMEOUT_S = 40.0
"""Of one search over all instances: a person has given up by then."""
MAX_ANSWER_BYTES = 2 * 1024 * 1024
HEADERS = {"Accept-Encoding": "gzip", "Accept-Language": "en"}
"""SearXNG's limiter refuses who names neither. The language is what SearXNG assumes where none is named, so that it changes no result."""
_HTTP_OK, _HTTP_WRONG, _HTTP_FORBIDDEN, _HTTP_TOO_MANY = 200, 400, 403, 429
_MOVED = range(300, 400)


class _Failed(ValueError):
    """It gave no answer.

    Args:
        why: for the log.
        advice: what the person can do about it; empty: nothing is known.
        rest_s: how long it wants to be left alone.
    """

    def __init__(self, why: str, *, advice: str = "", rest_s: float = 0.0) -> None:
        super().__init__(why)
        self.advice = advice
        self.rest_s = rest_s


class _Declined(ValueError):
    """It is well and does not want this question."""


class Instances:
    """The configured instances, and which of them failed lately."""

    def __init__(self, urls: tuple[str, ...]) -> None:
        self._circuit = Circuit(urls)
        self.is_empty = not urls

    async def first_answer(self, parameters: Mapping[str, str]) -> tuple[str, Answer]:
        """Which instance answered, by its address without a password, and what.

        1. An instance that fails, or is busy, is passed over.
        2. So is one that found nothing because its engines failed, as long as there is another to ask.

        Raises:
            Refusal: none did.
        """
        # Only when it is needed: a server that waits for its first search has started sooner.
        import httpx2

        refusal = shape.NO_INSTANCE_ANSWERED
        poor: tuple[str, Answer] | None = None
        with anyio.move_on_after(ALL_TIMEOUT_S):
            order = self._circuit.order(anyio.current_time())
            for number, url in enumerate(order, start=1):
                progress.say(f"asking {urlsplit(url).hostname}, {number} of {len(order)}")
                try:
                    with anyio.fail_after(ANSWER_TIMEOUT_S):
                        answer = answer_of(await _ask(url, parameters))
                    self._circuit.answered(url)
                    if answer.is_empty and answer.failed:
                        poor = poor or (named(url), answer)
                        continue
                    return named(url), answer
                except _Failed as failed:
                    refusal = failed.advice or refusal
                    log.warning("%s gave no answer: %s", named(url), failed)
                    self._circuit.failed(url, anyio.current_time(), failed.rest_s)
                except _Declined:
                    log.warning("%s takes the question for a wrong one", named(url))
                except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, ValueError, zlib.error, RecursionError) as error:
                    # Its kind alone: what a library says may repeat the address with its password.
                    log.warning("%s gave no answer: %s", named(url), type(error).__name__)
                    self._circuit.failed(url, anyio.current_time())
        if poor is not None:
            return poor
        raise Refusal(refusal)


async def _ask(url: str, parameters: Mapping[str, str]) -> Any:
    """One instance's JSON.

    Raises:
        _Failed: it refuses, is busy, or says that something is wrong.
        _Declined: it takes the question for a wrong one.
        ValueError: what it answers is no JSON, or is too long.
        zlib.error: it is damaged.
    """
    import httpx2

    timeout = httpx2.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
    # No proxy and no password file from the environment: the instance is where the settings say. The password is no part of what is asked
    # for, because that is logged.
    async with (
        httpx2.AsyncClient(timeout=timeout, trust_env=False, follow_redirects=False, auth=login_of(url)) as client,
        client.stream("GET", f"{named(url).rstrip('/')}/search", params=dict(parameters), headers=HEADERS) as response,
    ):
        if response.status_code == _HTTP_WRONG:
            raise _Declined("status 400")
        if response.status_code != _HTTP_OK:
            raise _failure_of(url, response.status_code, response.headers)
        body = Body(response.headers.get("content-encoding", ""), MAX_ANSWER_BYTES)
        async for chunk in response.aiter_raw():
            body.add(chunk)
    return json.loads(body.content)


def _failure_of(url: str, status: int, headers: Mapping[str, str]) -> _Failed:
    """Why it gave no results, and what the person can do about it."""
    said = headers.get("retry-after", "")
    rest_s = min(float(said[:9]), LONGEST_REST_S) if said.isascii() and said.isdecimal() else 0.0
    advice = ""
    if status == _HTTP_FORBIDDEN:
        advice = shape.NO_JSON
    elif status == _HTTP_TOO_MANY and not rest_s:
        # Who says when to come back is only busy.
        advice = shape.LIMITED
    elif status in _MOVED and (site := moved_to(url, headers.get("location", ""))):
        advice = shape.moved(site)
    return _Failed(f"status {status}", advice=advice, rest_s=rest_s)
