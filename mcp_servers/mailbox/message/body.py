"""The part of a mail that a person reads, and its letters.

Pure. Of two forms the plain one is read, unless there is nothing in it: some programs write the HTML alone, and a blank beside it.
"""

from __future__ import annotations

from email.message import EmailMessage
from typing import cast

from mcp_servers.outside.charsets import codec_of, text_of
from mcp_servers.outside.htmltext import Shown, shown_of_html
from mcp_servers.outside.quoting import clean_text, hidden_counts, is_blank
from mcp_servers.outside.webpage import decoded as page_decoded


def text_in(message: EmailMessage) -> tuple[str, dict[str, int]]:
    """The readable part, cleaned, and what was taken out of it."""
    try:
        body = _body(message)
        if body is None:
            return "", {}
        text, is_html = decoded(body), body.get_content_type() == "text/html"
    except (AttributeError, KeyError, LookupError, RecursionError, ValueError):
        return "", {}
    shown = shown_of_html(text) if is_html else Shown(text, 0)
    return clean_text(shown.text), {**hidden_counts(shown.text), **({"elements": shown.hidden} if shown.hidden else {})}


def decoded(part: EmailMessage) -> str:
    """The text of a part, whatever its letters are said to be; one in HTML may say it itself."""
    raw = part.get_payload(decode=True)
    content = raw if isinstance(raw, bytes) else str(raw or "").encode("utf-8", "replace")
    label = part.get_content_charset("")
    is_page = part.get_content_type() == "text/html" and codec_of(label) is None
    return page_decoded(content, "") if is_page else text_of(content, label)


def _body(message: EmailMessage) -> EmailMessage | None:
    plain, html = (cast("EmailMessage | None", message.get_body(preferencelist=(kind,))) for kind in ("plain", "html"))
    return html if plain is None or (html is not None and is_blank(decoded(plain))) else plain
