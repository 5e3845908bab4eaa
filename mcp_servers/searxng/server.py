"""The search tool: asks the configured SearXNG instances, in order, until one answers."""

from __future__ import annotations

import json
import logging
from typing import Any

import anyio
import httpx2

from mcp_servers.errors import Refusal
from mcp_servers.protocol.calls import AsyncHandler, Call, Outcome
from mcp_servers.searxng import shape
from mcp_servers.searxng.answers import answer_of, plain_query
from mcp_servers.searxng.model import Answer
from mcp_servers.searxng.tools import TOOLS

__all__ = ["TOOLS", "Search"]

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 3.0
"""An instance at home connects in milliseconds, one across the world in less than this."""
ANSWER_TIMEOUT_S = 12.0
"""SearXNG itself gives its engines up to 10 seconds."""
MAX_ANSWER_BYTES = 2 * 1024 * 1024
_HTTP_OK, _HTTP_FORBIDDEN = 200, 403


class Search:
    """The tool over the configured instances."""

    def __init__(self, urls: tuple[str, ...]) -> None:
        self._urls = urls

    def handlers(self) -> dict[str, AsyncHandler]:
        return {"web_search": self.web_search}

    async def web_search(self, call: Call) -> Outcome:
        if not self._urls:
            raise Refusal(shape.NOT_SET_UP)
        query = plain_query(call.text("query"))
        if not query:
            raise Refusal(shape.EMPTY_QUERY)
        parameters = {"q": query, "format": "json", "pageno": "1"}
        if call.text("time_range"):
            parameters["time_range"] = call.text("time_range")
        answer = await self._first_answer(parameters)
        results = [{"title": r.title, "url": r.url, "site": r.site, "snippet": r.snippet} for r in answer.results]
        fields = {"query": query, "count": len(results), "results": results, "silent": list(answer.silent), "untrusted": True}
        return Outcome(shape.search_text(answer), fields)

    async def _first_answer(self, parameters: dict[str, str]) -> Answer:
        refusal = shape.NO_INSTANCE_ANSWERED
        for url in self._urls:
            try:
                with anyio.fail_after(ANSWER_TIMEOUT_S):
                    return answer_of(await _ask(url, parameters))
            except Refusal as refused:
                refusal = str(refused)
            except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, ValueError) as error:
                log.warning("%s gave no answer: %s", url, type(error).__name__)
        raise Refusal(refusal)


async def _ask(url: str, parameters: dict[str, str]) -> Any:
    """One instance's JSON.

    Raises:
        Refusal: it answers, but not in JSON by its own settings.
        ValueError: what it answers is no JSON, is too long, or says that something is wrong.
    """
    timeout = httpx2.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
    # No proxy and no password file from the environment: the instance is where the settings say.
    async with (
        httpx2.AsyncClient(timeout=timeout, trust_env=False, follow_redirects=False) as client,
        client.stream("GET", f"{url.rstrip('/')}/search", params=parameters) as response,
    ):
        if response.status_code == _HTTP_FORBIDDEN:
            raise Refusal(shape.NO_JSON)
        if response.status_code != _HTTP_OK:
            raise ValueError(f"status {response.status_code}")
        content = bytearray()
        async for chunk in response.aiter_bytes():
            content += chunk
            if len(content) > MAX_ANSWER_BYTES:
                raise ValueError("the answer is too long")
    return json.loads(content)
