"""The search tools over the configured SearXNG instances, and the page tool beside them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mcp_servers.errors import Refusal
from mcp_servers.outside.quotes import quoted
from mcp_servers.protocol.calls import AsyncHandler, Call, Outcome
from mcp_servers.searxng import shape
from mcp_servers.searxng.asking import parameters_of
from mcp_servers.searxng.instances import Instances
from mcp_servers.searxng.model import Answer
from mcp_servers.searxng.pages import Pages, new_token
from mcp_servers.searxng.tools import TOOLS

__all__ = ["TOOLS", "Search"]


class Search:
    """The tools over some instances.

    Args:
        urls: the instances, in the order in which they are asked.
        pages: reads pages; None for the usual one.
        token: makes the word around a block.
    """

    def __init__(self, urls: tuple[str, ...], pages: Pages | None = None, *, token: Callable[[], str] = new_token) -> None:
        self._instances = Instances(urls)
        self._pages = pages or Pages()
        self._token = token

    def handlers(self) -> dict[str, AsyncHandler]:
        return {"web_search": self.web_search, "metasearch": self.metasearch, **self._pages.handlers()}

    async def web_search(self, call: Call) -> Outcome:
        if self._instances.is_empty:
            raise Refusal(shape.NOT_SET_UP)
        parameters = parameters_of({name: call.text(name) for name in ("query", "time_range")})
        _, answer = await self._instances.first_answer(parameters)
        results = [{"title": r.title, "url": r.url, "site": r.site, "snippet": r.snippet} for r in answer.results]
        fields = {"query": parameters["q"], "count": len(results), "results": results, "silent": list(answer.silent)}
        return Outcome(shape.search_text(answer), {**fields, "removed": dict(answer.removed), "untrusted": True})

    async def metasearch(self, call: Call) -> Outcome:
        if self._instances.is_empty:
            raise Refusal(shape.NOT_SET_UP)
        parameters = parameters_of(call.arguments)
        instance, answer = await self._instances.first_answer(parameters)
        whole = quoted(shape.everything_text(answer), origin=f"search over {instance}", at=call.now, removed=dict(answer.removed))
        head = shape.everything_head(parameters["q"], int(parameters["pageno"]), answer)
        lines = [head, *([whole.block(self._token())] if whole.text else []), *shape.failed_lines(answer)]
        fields = {
            "query": parameters["q"],
            "page": int(parameters["pageno"]),
            "instance": instance,
            **_fields(answer),
            "quoted": whole.fields(),
        }
        return Outcome("\n".join(lines), fields, is_fenced=True)


def _fields(answer: Answer) -> dict[str, Any]:
    return {
        "count": len(answer.results),
        "results": [
            {
                "title": result.title,
                "url": result.url,
                "site": result.site,
                "snippet": result.snippet,
                "engines": list(result.engines),
                "category": result.category,
                "published": result.published,
            }
            for result in answer.results
        ],
        "answers": [{"text": one.text, "url": one.url, "engine": one.engine} for one in answer.direct],
        "infoboxes": [
            {
                "title": box.title,
                "text": box.text,
                "facts": [list(fact) for fact in box.facts],
                "links": [list(link) for link in box.links],
                "engine": box.engine,
            }
            for box in answer.infoboxes
        ],
        "corrections": list(answer.corrections),
        "suggestions": list(answer.suggestions),
        "unresponsive_engines": [{"engine": one.engine, "reason": one.reason} for one in answer.failed],
        "untrusted": True,
    }
