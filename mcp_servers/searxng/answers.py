"""What is asked of a SearXNG instance, and what its JSON answer says.

Pure. The answer is a stranger's text: whatever is missing or of another form is left out, never trusted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from mcp_servers.outside.quoting import clean_line, hidden_counts
from mcp_servers.searxng.model import Answer, Direct, Failed, Infobox, Result

MAX_QUERY_CHARS = 256
"""A search is a few words; longer ones carry something else out of the house."""
MAX_RESULTS = 20
MAX_SILENT = 5
MAX_BESIDE = 8
"""Answers, infoboxes, corrections and suggestions, each."""
MAX_FACTS = 12
MAX_ENGINES = 5
MAX_FAILED = 20
MAX_NAME_CHARS = 40
"""Of an engine."""
_NO_NAME = re.compile(r"[^\w .+&/'()-]")
_SHOWN = frozenset({"title", "content", "answers", "answer", "infobox", "label", "value", "corrections", "suggestions", "url"})
_COMMAND = re.compile(r"(?<!\S)[!:<?]+")


def plain_query(query: str) -> str:
    """The words without what SearXNG takes as commands: `!engine`, `!!redirect`, `:language` and `<timeout`."""
    return " ".join(_COMMAND.sub("", clean_line(query))[:MAX_QUERY_CHARS].split())


def answer_of(content: object) -> Answer:
    """The results, in the instance's order, what comes beside them, and the engines that did not answer it."""
    fields = _mapping(content)
    results = [_result(_mapping(item)) for item in _list(fields.get("results"))]
    failed = tuple(found for item in _list(fields.get("unresponsive_engines")) if (found := _failed(item)).engine)
    direct = (_direct(item) for item in _list(fields.get("answers")))
    infoboxes = (_infobox(_mapping(item)) for item in _list(fields.get("infoboxes")))
    return Answer(
        tuple([result for result in results if result is not None][:MAX_RESULTS]),
        tuple(dict.fromkeys(one.engine for one in failed))[:MAX_SILENT],
        tuple(answer for answer in direct if answer.text)[:MAX_BESIDE],
        tuple(box for box in infoboxes if box.title or box.text)[:MAX_BESIDE],
        _texts(fields.get("corrections")),
        _texts(fields.get("suggestions")),
        failed[:MAX_FAILED],
        tuple(hidden_counts("".join(_shown_texts(content))).items()),
    )


def _result(fields: Mapping[str, Any]) -> Result | None:
    url, host = _address(fields.get("url"))
    if not host:
        return None
    site = host.removeprefix("www.")
    engines = tuple(dict.fromkeys(clean_line(_text(name)) for name in _list(fields.get("engines")) or [fields.get("engine")]))
    return Result(
        clean_line(_text(fields.get("title"))) or site,
        url,
        site,
        clean_line(_text(fields.get("content"))),
        tuple(name for name in engines if name)[:MAX_ENGINES],
        clean_line(_text(fields.get("category"))),
        clean_line(_text(fields.get("publishedDate")))[:40],
    )


def _address(value: object) -> tuple[str, str]:
    """A page's address and host, or nothing twice."""
    url = clean_line(_text(value))
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return "", ""
    return (url, host) if parts.scheme in {"http", "https"} and host else ("", "")


def _direct(item: object) -> Direct:
    """`{"answer": ..., "url": ..., "engine": ...}`, or the text alone, as instances before 2025 have it."""
    fields = _mapping(item)
    text = _text(fields.get("answer")) if fields else _text(item)
    return Direct(clean_line(text), _address(fields.get("url"))[0], clean_line(_text(fields.get("engine"))))


def _infobox(fields: Mapping[str, Any]) -> Infobox:
    facts = [_mapping(item) for item in _list(fields.get("attributes"))]
    links = [_mapping(item) for item in _list(fields.get("urls"))]
    named = [(clean_line(_text(fact.get("label"))), clean_line(_text(fact.get("value")))) for fact in facts]
    led = [(clean_line(_text(link.get("title"))), _address(link.get("url"))[0]) for link in links]
    return Infobox(
        clean_line(_text(fields.get("infobox"))),
        clean_line(_text(fields.get("content"))),
        tuple((label, value) for label, value in named if label and value)[:MAX_FACTS],
        tuple((title, url) for title, url in led if url)[:MAX_FACTS],
        clean_line(_text(fields.get("engine"))),
    )


def _failed(item: object) -> Failed:
    """`["bing", "timeout"]`, or a name alone. They are shown outside of a block: what is more than a name and a few words is left out."""
    parts = _list(item)
    reason = clean_line(_text(parts[1])) if len(parts) > 1 else ""
    return Failed(_NO_NAME.sub("", clean_line(_text(parts[0] if parts else item)))[:MAX_NAME_CHARS].strip(), reason[:60])


def _texts(value: object) -> tuple[str, ...]:
    """Texts, or `{"title": ...}` each."""
    texts = [clean_line(_text(item) or _text(_mapping(item).get("title"))) for item in _list(value)]
    return tuple(dict.fromkeys(text for text in texts if text))[:MAX_BESIDE]


def _shown_texts(content: object) -> Iterator[str]:
    """Every text in it of a field that is shown. Without recursion: a stranger's answer may be as deep as it likes."""
    left: list[tuple[str, object]] = [("", content)]
    while left:
        name, value = left.pop()
        if isinstance(value, str) and name in _SHOWN:
            yield value
        left += _mapping(value).items()
        left += ((name, each) for each in _list(value))


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
