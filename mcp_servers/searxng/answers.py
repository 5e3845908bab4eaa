"""What is asked of a SearXNG instance, and what its JSON answer says.

Pure. The answer is a stranger's text: whatever is missing or of another form is left out, never trusted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from mcp_servers.outside.quoting import clean_line
from mcp_servers.searxng.model import Answer, Result

MAX_QUERY_CHARS = 256
"""A search is a few words; longer ones carry something else out of the house."""
MAX_RESULTS = 20
MAX_SILENT = 5
_COMMAND = re.compile(r"(?<!\S)[!:<?]+")


def plain_query(query: str) -> str:
    """The words without what SearXNG takes as commands: `!engine`, `!!redirect`, `:language` and `<timeout`."""
    return " ".join(_COMMAND.sub("", clean_line(query))[:MAX_QUERY_CHARS].split())


def answer_of(content: object) -> Answer:
    """The results, in the instance's order, and the engines that did not answer it."""
    fields = _mapping(content)
    results = [_result(_mapping(item)) for item in _list(fields.get("results"))]
    silent = [_engine(item) for item in _list(fields.get("unresponsive_engines"))]
    return Answer(
        tuple([result for result in results if result is not None][:MAX_RESULTS]),
        tuple(dict.fromkeys(name for name in silent if name))[:MAX_SILENT],
    )


def _result(fields: Mapping[str, Any]) -> Result | None:
    url = clean_line(_text(fields.get("url")))
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not host:
        return None
    site = host.removeprefix("www.")
    return Result(clean_line(_text(fields.get("title"))) or site, url, site, clean_line(_text(fields.get("content"))))


def _engine(item: object) -> str:
    """`["bing", "timeout"]`, or a name alone."""
    parts = _list(item)
    return clean_line(_text(parts[0] if parts else item))


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
