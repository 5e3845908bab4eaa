"""One HTML page of a stranger as its title and Markdown, with what was hidden in it taken out and counted.

Pure. It is run in the process of `mcp_servers.outside.textof`, which has bounds of its own; what comes out of there is JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from mcp_servers.outside.charsets import codec_of, text_of
from mcp_servers.outside.formulas import with_copies_judged, with_formulas
from mcp_servers.outside.hidden import without_hidden
from mcp_servers.outside.markdown import markdown_of
from mcp_servers.outside.pagetree import Element, tree_of
from mcp_servers.outside.quoting import clean_line

MAX_HTML_CHARS = 3_000_000
MAX_TEXT_CHARS = 400_000
"""About a thick book's text; with it the answer of the process stays within its bound."""
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w-]{1,40})", re.IGNORECASE)
_HEAD_BYTES = 4096


@dataclass(frozen=True)
class Webpage:
    """A page's text, and how many elements with text were taken out, by kind."""

    title: str
    text: str
    removed: Mapping[str, int]
    is_cut: bool = False
    """It was longer than is read."""


def webpage_of(html: str, url: str) -> Webpage:
    """What a person would see of a page.

    Args:
        html: the page.
        url: where it is from; relative links start there.
    """
    root = tree_of(html[:MAX_HTML_CHARS])
    title = clean_line(_title(root))
    with_copies_judged(root, url)
    removed = without_hidden(root)
    with_formulas(root)
    text, menus = markdown_of(root, url)
    counts = {kind: count for kind, count in (removed + menus).items() if count}
    return Webpage(title[:300], text[:MAX_TEXT_CHARS], counts, len(html) > MAX_HTML_CHARS or len(text) > MAX_TEXT_CHARS)


def to_json(page: Webpage) -> str:
    fields = {"title": page.title, "text": page.text, "removed": dict(page.removed), "is_cut": page.is_cut}
    return json.dumps(fields, ensure_ascii=False)


def from_json(text: str) -> Webpage:
    """A page as the process wrote it.

    Raises:
        ValueError: it is none.
    """
    fields = cast("dict[str, Any]", json.loads(text))
    removed = {str(kind): int(count) for kind, count in fields["removed"].items()}
    return Webpage(str(fields["title"]), str(fields["text"]), removed, bool(fields["is_cut"]))


def decoded(content: bytes, charset: str) -> str:
    """A page's characters: by its mark of byte order, what it was sent as, what it says itself, or else what they look like."""
    said = _META_CHARSET.search(content[:_HEAD_BYTES])
    own = codec_of(said[1].decode("ascii", "replace")) if said else None
    if own is not None and own.startswith(("utf-16", "utf-32")):
        own = "utf-8"  # as browsers have it: in any other these words could not be read
    codec = next((one for one in (codec_of(charset), own) if one not in (None, "utf-7")), None)
    return text_of(content, codec or "")


def _title(root: Element) -> str:
    for child in root.elements():
        if child.tag == "title":
            return child.text()
        if child.tag in {"html", "head"} and (found := _title(child)):
            return found
    return ""
