"""Asks the configured SearXNG instances, one after the other, until one answers.

They may be inside the house: the person named them. Nothing that an instance says leads anywhere else: no redirect is followed.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import anyio

from mcp_servers.errors import Refusal
from mcp_servers.protocol import progress
from mcp_servers.searxng import shape
from mcp_servers.searxng.answers import answer_of
from mcp_servers.searxng.circuit import LONGEST_REST_S, Circuit
from mcp_servers.searxng.model import Answer

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 3.0
"""An instance at home connects in milliseconds, one across the world in less than this."""
ANSWER_TIMEOUT_S = 12.0
"""SearXNG itself gives its engines up to 10 seconds."""
ALL_TIMEOUT_S = 40.0
"""Of one search over all instances: a person has given up by then."""
MAX_ANSWER_BYTES = 2 * 1024 * 1024
UNPACKED = {"Accept-Encoding": "identity"}
"""A few packed bytes may unfold to gigabytes, and what is sent is short."""
_HTTP_OK, _HTTP_WRONG, _HTTP_FORBIDDEN = 200, 400, 403


class _Busy(ValueError):
    """It wants to be left alone for a while."""

    def __init__(self, rest_s: float) -> None:
        super().__init__(f"busy for {rest_s:.0f} s")
        self.rest_s = rest_s


class _Declined(ValueError):
    """It is well and does not want this question."""


class Instances:
    """The configured instances, and which of them failed lately."""

    def __init__(self, urls: tuple[str, ...]) -> None:
        self._circuit = Circuit(urls)
        self.is_empty = not urls

    async def first_answer(self, parameters: Mapping[str, str]) -> tuple[str, Answer]:
        """Which instance answered, and what.

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
                        poor = poor or (url, answer)
                        continue
                    return url, answer
                except Refusal as refused:
                    refusal = str(refused)
                    self._circuit.failed(url, anyio.current_time())
                except _Declined:
                    log.warning("%s takes the question for a wrong one", url)
                except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, ValueError, RecursionError) as error:
                    log.warning("%s gave no answer: %s", url, type(error).__name__)
                    self._circuit.failed(url, anyio.current_time(), error.rest_s if isinstance(error, _Busy) else 0.0)
        if poor is not None:
            return poor
        raise Refusal(refusal)


async def _ask(url: str, parameters: Mapping[str, str]) -> Any:
    """One instance's JSON.

    Raises:
        Refusal: it answers, but not in JSON by its own settings.
        ValueError: what it answers is no JSON, is too long, or says that something is wrong.
    """
    import httpx2

    timeout = httpx2.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
    # No proxy and no password file from the environment: the instance is where the settings say.
    async with (
        httpx2.AsyncClient(timeout=timeout, trust_env=False, follow_redirects=False) as client,
        client.stream("GET", f"{url.rstrip('/')}/search", params=dict(parameters), headers=UNPACKED) as response,
    ):
        if response.status_code == _HTTP_FORBIDDEN:
            raise Refusal(shape.NO_JSON)
        if response.status_code == _HTTP_WRONG:
            raise _Declined("status 400")
        if response.status_code != _HTTP_OK:
            said = response.headers.get("retry-after", "")
            raise _Busy(min(float(said[:9]), LONGEST_REST_S)) if said.isdecimal() else ValueError(f"status {response.status_code}")
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise ValueError("the answer is packed, though it should not be")
        content = bytearray()
        async for chunk in response.aiter_raw():
            content += chunk
            if len(content) > MAX_ANSWER_BYTES:
                raise ValueError("the answer is too long")
    return json.loads(content)
