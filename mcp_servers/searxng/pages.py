"""The page tool: fetches a page of the public web, reads it where that can do no harm, and shows it part by part."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

import anyio
import anyio.to_thread

from mcp_servers.errors import Refusal
from mcp_servers.outside.confinement import text_of_file
from mcp_servers.outside.destinations import destination_of
from mcp_servers.outside.fetching import DAMAGED, Fetched, Fetcher
from mcp_servers.outside.quotes import TOKEN_BYTES, part, quoted
from mcp_servers.outside.webpage import decoded, from_json
from mcp_servers.protocol import progress
from mcp_servers.protocol.calls import AsyncHandler, Call, Outcome
from mcp_servers.searxng import shape
from mcp_servers.searxng.cache import PageCache
from mcp_servers.searxng.model import Page, Section
from mcp_servers.searxng.neighbours import NoNeighbours
from mcp_servers.searxng.reading import budget_of, cursor_of, sections_of, span_of

if TYPE_CHECKING:
    import httpcore2

MAX_TEXT_CHARS = 1_000_000
"""Of a PDF or a text; more than a long book."""
MAX_AT_ONCE = 4
"""Fetches under way; the others wait their turn."""
_PLAIN_TYPE = re.compile(r"[a-z]{1,12}/[a-z0-9.+-]{1,40}")
"""A stranger wrote it, and it is said outside of a block."""
_HTML = frozenset({"text/html", "application/xhtml+xml", ""})
_UNTOLD = frozenset({"application/octet-stream", "binary/octet-stream"})
"""Servers that do not know a PDF say this; its first bytes tell."""
_TEXT_ENDINGS = ("+json", "+xml", "/json", "/xml", "/yaml", "/x-yaml", "/javascript", "/x-ndjson", "/toml")


def new_token() -> str:
    return secrets.token_hex(TOKEN_BYTES)


class Pages:
    """The tool over the public web.

    Args:
        fetcher: fetches a page; None for this machine's own.
        token: makes the word around a block.
    """

    def __init__(self, fetcher: Fetcher | None = None, *, cache: PageCache | None = None, token: Callable[[], str] = new_token) -> None:
        guarded = cast("httpcore2.AsyncNetworkBackend", NoNeighbours())
        self._fetcher = fetcher or Fetcher(accepts=refuse_unreadable, network=guarded)
        self._cache = cache or PageCache()
        self._token = token
        self._turns = anyio.Semaphore(MAX_AT_ONCE)

    def handlers(self) -> dict[str, AsyncHandler]:
        return {"fetch_page": self.fetch_page}

    async def fetch_page(self, call: Call) -> Outcome:
        budget = budget_of(call.text("max_chars"))
        page = await self._page(call.text("url"), call.now)
        span = span_of(page, cursor=call.text("cursor"), section=call.text("section"), budget=budget)
        is_beginning = span.start == 0 and not call.text("section")
        piece = part(page.quoted, span.start, span.cut)
        shown = replace(piece, text=shape.page_head(page) + piece.text) if is_beginning else piece
        left = span.end - span.cut
        cursor = cursor_of(page, span.cut) if left else ""
        fields = {
            "url": page.url,
            "kind": page.kind,
            "untrusted_title": page.title,
            "sections": [_section_fields(section) for section in page.sections],
            "page": piece.fields(),
            "start": span.start,
            "left": left,
            "cursor": cursor,
            "is_cut": page.is_cut,
            "untrusted": True,
        }
        return Outcome(shape.page_text(page, shown.block(self._token()), left, cursor), fields, is_fenced=True)

    async def _page(self, url: str, now: datetime) -> Page:
        key = destination_of(url).url
        held = self._cache.get(key, anyio.current_time())
        if held is not None:
            return held
        progress.say("waiting for its turn")
        async with self._turns:
            progress.say("fetching the page")
            fetched = await self._fetcher.fetch(url)
            progress.say(f"reading {len(fetched.content) // 1024} KiB")
            # A call that is given up ends the process that reads.
            page = await anyio.to_thread.run_sync(_read, fetched, now)
        self._cache.put(key, page, anyio.current_time())
        return page


def _section_fields(section: Section) -> dict[str, Any]:
    chars = section.end - section.start
    return {"number": section.number, "level": section.level, "untrusted_title": section.title, "chars": chars}


def _read(fetched: Fetched, now: datetime) -> Page:
    """A page's text, read in a process of its own unless it is text already; that takes a while."""
    kind = kind_of(fetched.kind, fetched.content)
    title, removed, is_cut = "", dict[str, int](), False
    if kind == "pdf":
        text = text_of_file(fetched.content, "pdf")
    elif kind == "text":
        text = decoded(fetched.content, fetched.charset)
    else:
        html = decoded(fetched.content, fetched.charset)
        said = text_of_file(f"{fetched.url}\n{html}".encode("utf-8", "replace"), "page")
        try:
            page = from_json(said)
        except (ValueError, KeyError, TypeError) as error:
            raise Refusal(DAMAGED) from error
        title, text, removed, is_cut = page.title, page.text, dict(page.removed), page.is_cut
    is_cut = is_cut or len(text) > MAX_TEXT_CHARS
    whole = quoted(text[:MAX_TEXT_CHARS], origin=fetched.url, at=now, removed=removed)
    if not whole.text.strip():
        raise Refusal(shape.NOTHING_SHOWN)
    return Page(fetched.url, kind, title, whole, sections_of(whole.text) if kind == "page" else (), is_cut)


def refuse_unreadable(media_type: str) -> None:
    """Before the body is fetched.

    Raises:
        Refusal: there is no text in files of that type that is read here.
    """
    if media_type not in _UNTOLD:
        kind_of(media_type, b"")


def kind_of(media_type: str, content: bytes) -> str:
    """`page`, `pdf` or `text`; a PDF that is sent as something else is known by its first bytes.

    Raises:
        Refusal: it is none of them.
    """
    if media_type == "application/pdf" or content.startswith(b"%PDF-"):
        return "pdf"
    if media_type in _HTML:
        return "page"
    if media_type.startswith("text/") or media_type.endswith(_TEXT_ENDINGS):
        return "text"
    shown = media_type if _PLAIN_TYPE.fullmatch(media_type) else "that it tells"
    raise Refusal(f"That address is no page but a file of the type {shown}. Open it yourself.")
