"""Where the links of a mail lead: beside the words that a person clicks on stands the host that is asked then.

Pure. Of an address the host alone is told. The rest of it is often a key to somebody's account, and no reader of a mail needs it; that a
link says one house and leads to another is what fraud is made of, and is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from email.message import EmailMessage
from typing import NamedTuple, cast
from urllib.parse import urlsplit

from mcp_servers.mailbox.message.body import decoded
from mcp_servers.mailbox.message.opening import message_of
from mcp_servers.outside.htmltext import Reader
from mcp_servers.outside.quoting import clean_line, shortened

MAX_LINKS = 30
"""A newsletter has a hundred, most of which lead to one place."""
_MAX_CHARS = 500_000
_MAX_TEXT_CHARS = 80
_NO_LETTERS = "".join(map(chr, range(33)))
_MAX_HOST_CHARS = 253
"""No name is longer that anybody can be asked by."""
_SAID = re.compile(r"(?i)(?:https?://|www\.)[^\s/?#]+|[^\s/?#@]+\.[a-z]{2,}(?=[:/?#]|\Z)")
"""A place that the words of a link name: an address, or a name that stands alone."""
_FILE_ENDINGS = frozenset("csv doc docx eml exe gif htm html ics jpeg jpg js json md pdf png ppt pptx py ts txt xls xlsx xml zip".split())


class Link(NamedTuple):
    """One of them."""

    text: str
    """The words that are shown; empty for a picture."""
    host: str
    """Of where it leads."""
    is_elsewhere: bool
    """Its words name another place."""


def links_of(content: bytes) -> tuple[Link, ...]:
    """The links of a mail that a person sees in it as HTML, each once, in their order; one in what is hidden is none."""
    try:
        body = cast("EmailMessage | None", message_of(content).get_body(preferencelist=("html",)))
        html = decoded(body)[:_MAX_CHARS] if body is not None else ""
    except (AttributeError, KeyError, LookupError, RecursionError, ValueError):
        return ()
    if "href" not in html.lower():
        return ()
    reader = _Links()
    reader.read(html)
    reader.end_link()  # what never ends stops the reading
    found = (_link(href, text) for href, text in dict.fromkeys(reader.found))
    return tuple(dict.fromkeys(one for one in found if one is not None))


def links_text(links: Iterable[Link]) -> str:
    """The lines below a mail's text; empty for a mail without links."""
    # Those that say what is not so are told before all others: a hundred that are harmless must not push one out.
    listed = sorted(links, key=lambda link: not link.is_elsewhere)
    lines = [f"- {one.text or 'a picture'}: {one.host}{', which is not what it says' if one.is_elsewhere else ''}" for one in listed]
    left = [f"- and {len(lines) - MAX_LINKS} more"] if len(lines) > MAX_LINKS else []
    return "\n".join(["Where its links lead:", *lines[:MAX_LINKS], *left]) if lines else ""


class _Links(Reader):
    """Of each link the words that are shown: a hidden one among them must not hide where it leads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self._href = ""
        self._first: int | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("a", "area"):
            self.end_link()
        super().handle_starttag(tag, attrs)
        if tag in ("a", "area") and not self.is_hidden:
            self._href, self._first = next((value or "" for name, value in attrs if name == "href"), ""), len(self.pieces)
        if tag == "area":
            self.end_link()

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self.end_link()
        super().handle_endtag(tag)

    def end_link(self) -> None:
        """What comes is in no link, or in another one."""
        if self._first is not None and self._href:
            self.found.append((self._href, "".join(self.pieces[self._first :])))
        self._first = None


def _link(href: str, text: str) -> Link | None:
    # As browsers read it: without line breaks and what is no letter around it, and with a backslash for a slash.
    address = re.sub(r"[\t\r\n]", "", href).strip(_NO_LETTERS).replace("\\", "/")
    if not re.match(r"(?i)https?:|//", address):
        return None
    try:
        host = _in_ascii(urlsplit(re.sub(r"(?i)^(https?:)/*", r"\1//", address)).hostname or "")
    except ValueError:
        host = ""
    words = clean_line(text)
    said = _said(words)
    # The end of a name says whose it is.
    told = host if len(host) <= _MAX_HOST_CHARS else f"...{host[-_MAX_HOST_CHARS:]}"
    return Link(shortened(words, _MAX_TEXT_CHARS), told or "nobody knows where", bool(said) and not _is_one_house(said, host))


def _said(words: str) -> str:
    """The host that the words of a link name; empty for words that name none."""
    found = _SAID.match(words) if " " not in words else re.search(r"(?i)(?:https?://|www\.)[^\s/?#]+", words)
    host = re.sub(r"(?i)^https?://", "", found[0]).rpartition("@")[2].partition(":")[0].rstrip(".,;!)") if found else ""
    return "" if host.rpartition(".")[2].lower() in _FILE_ENDINGS else _in_ascii(host)


def _is_one_house(said: str, host: str) -> bool:
    one, other = said.removeprefix("www."), host.removeprefix("www.")
    return one == other or any("." in house and name.endswith(f".{house}") for house, name in ((one, other), (other, one)))


def _in_ascii(host: str) -> str:
    """As it is asked for: letters of other alphabets look like others."""
    try:
        return clean_line(host).lower().encode("idna").decode("ascii") if not host.isascii() else clean_line(host).lower()
    except UnicodeError:
        return clean_line(host).lower().encode("ascii", "backslashreplace").decode("ascii")
