"""What a person would see of an HTML mail, as text.

Pure. Only what is shown is kept: scripts, styles, comments and elements that are hidden by their own attributes
are dropped. Links are their text; images are nothing. Rules in style sheets are not followed.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mcp_servers.outside.browserlike import BrowserLike

_DROPPED = frozenset("head script style template noscript title object svg math iframe select textarea button".split())
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_BLOCKS = frozenset(
    "address article blockquote dd div dl dt fieldset footer form h1 h2 h3 h4 h5 h6 header hr li main nav ol p pre section "
    "table tr ul".split()
)
_CELLS = frozenset({"td", "th"})
_CLOSED_BY_THE_NEXT = frozenset({"p", "li", "tr", "td", "th", "dd", "dt", "option"})
_HIDING_STYLE = re.compile(
    r"display:none|visibility:(?:hidden|collapse)|mso-hide:all|opacity:0(?:\.0+)?(?:;|$|!)"
    r"|font-size:0(?:\.0+)?(?:px|pt|em|rem|%)?(?:;|$|!)|(?:max-)?(?:height|width):0(?:px)?(?:;|$|!)"
    r"|text-indent:-\d{3,}|(?:left|top):-\d{3,}|clip(?:-path)?:"
)
_MAX_DEPTH = 400
"""Deeper nesting is no mail that a person wrote; what is inside is dropped."""
_MAX_CHARS = 500_000
"""Read up to here: five times a long newsletter, and a bound on how long one mail can hold up all others."""


class Shown(NamedTuple):
    """What a person would see of an HTML text, and how many elements with text in them they would not."""

    text: str
    hidden: int


def text_of_html(html: str) -> str:
    """The shown text, blocks on lines of their own."""
    return shown_of_html(html).text


def shown_of_html(html: str) -> Shown:
    """The shown text, and what is hidden, counted. What no page shows (scripts, styles, titles) does not count."""
    reader = _Reader()
    unseen = reader.read(html[:_MAX_CHARS])
    # What was cut off in the middle of a tag is not hidden.
    reader.hidden += len(html) <= _MAX_CHARS and bool(unseen.strip("<!-")) and not reader.is_script
    lines = [" ".join(line.split()) for line in "".join(reader.pieces).split("\n")]
    return Shown(re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip(), reader.hidden)


class _Reader(BrowserLike):
    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self.hidden = 0
        self._open: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _CLOSED_BY_THE_NEXT and self._open and self._open[-1][0] == tag:
            self._open.pop()
        if tag == "br" or tag in _BLOCKS:
            self._write("\n")
        elif tag in _CELLS:
            self._write(" ")
        # One more than the bound is open at most, and it is hidden: each end tag looks through all that is open.
        if tag not in _VOID and len(self._open) <= _MAX_DEPTH:
            is_hiding = _is_hiding(dict(attrs)) or len(self._open) == _MAX_DEPTH
            self.hidden += is_hiding and not self._is_hidden
            is_hidden = self._is_hidden or tag in _DROPPED or is_hiding
            self._open.append((tag, is_hidden))

    def handle_endtag(self, tag: str) -> None:
        for depth in range(len(self._open) - 1, -1, -1):
            if self._open[depth][0] == tag:
                del self._open[depth:]
                break
        if tag in _BLOCKS:
            self._write("\n")

    def handle_data(self, data: str) -> None:
        if not self._is_hidden:
            self._write(data.replace("\n", " ") if not self._is_preformatted else data)

    @property
    def is_script(self) -> bool:
        """It has come to a script or a style sheet that never ends."""
        return self.cdata_elem is not None

    @property
    def _is_hidden(self) -> bool:
        return bool(self._open) and self._open[-1][1]

    @property
    def _is_preformatted(self) -> bool:
        return any(tag == "pre" for tag, _ in self._open)

    def _write(self, text: str) -> None:
        if not self._is_hidden:
            self.pieces.append(text)


def _is_hiding(attributes: dict[str, str | None]) -> bool:
    if "hidden" in attributes or (attributes.get("aria-hidden") or "").lower() == "true":
        return True
    style = re.sub(r"\s|/\*.*?\*/", "", (attributes.get("style") or "").lower())
    return _HIDING_STYLE.search(style) is not None
