"""What a person would see of an HTML mail, as text.

Pure. Only what is shown is kept: scripts, styles, comments and elements that are hidden by their own attributes
are dropped. Links are their text; images are nothing. Rules in style sheets are not followed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from mcp_servers.outside.browserlike import BrowserLike
from mcp_servers.outside.raised import SIGNS, raised

_DROPPED = frozenset("head script style template noscript title object svg math iframe select textarea button".split())
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_BLOCKS = frozenset(
    "address article blockquote dd div dl dt fieldset footer form h1 h2 h3 h4 h5 h6 header hr li main nav ol p pre section "
    "table tr ul".split()
)
_CELLS = frozenset({"td", "th"})
_CLOSED_BY_THE_NEXT = frozenset({"p", "li", "tr", "td", "th", "dd", "dt", "option"})
_HIDING_STYLE = re.compile(
    r"(?:^|;)(?:display:none|visibility:(?:hidden|collapse)|mso-hide:all|opacity:0(?:\.0+)?(?:;|$|!)"
    r"|(?:max-)?(?:height|width):0(?:px)?(?:;|$|!)|text-indent:-\d{3,}|(?:left|top):-\d{3,}|margin-(?:left|top):-\d{4,}"
    r"|clip:rect\(0|clip-path:(?:inset\((?:50|100)%|circle\(0|polygon\(0))"
)
_SIZE = re.compile(r"(?:^|;)font-size:([^;!]*)")
_NO_SIZE = re.compile(r"0(?:\.0+)?(?:px|pt|em|rem|%)?")
_SIZE_OF_THE_PARENT = re.compile(r"[\d.]+(?:em|%)|inherit|smaller|larger|unset")
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
    reader = _Marking()
    unseen = reader.read(html[:_MAX_CHARS])
    # What was cut off in the middle of a tag is not hidden.
    reader.hidden += len(html) <= _MAX_CHARS and bool(unseen.strip("<!-")) and not reader.is_script
    lines = [" ".join(line.split()) for line in "".join(reader.pieces).split("\n")]
    return Shown(re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip(), reader.hidden)


@dataclass
class _Element:
    tag: str
    is_hidden: bool
    is_tiny: bool
    """Its letters have no size, unless an element in it says another one, as newsletters do in every cell."""
    is_counted: bool


class Reader(BrowserLike):
    """Of a page, what is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self.hidden = 0
        self._open: list[_Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _CLOSED_BY_THE_NEXT and self._open and self._open[-1].tag == tag:
            self._open.pop()
        if tag == "br" or tag in _BLOCKS:
            self._write("\n")
        elif tag in _CELLS:
            self._write(" ")
        # One more than the bound is open at most, and it is hidden: each end tag looks through all that is open.
        if tag not in _VOID and len(self._open) <= _MAX_DEPTH:
            said = dict(attrs)
            style = re.sub(r"\s|/\*.*?\*/", "", (said.get("style") or "").lower())
            is_hiding = _is_hiding(said, style) or len(self._open) == _MAX_DEPTH
            above = self._open[-1] if self._open else _Element("", is_hidden=False, is_tiny=False, is_counted=False)
            self.hidden += is_hiding and not above.is_hidden
            is_tiny = _is_tiny(style, is_tiny_above=above.is_tiny)
            is_hidden = above.is_hidden or tag in _DROPPED or is_hiding
            self._open.append(_Element(tag, is_hidden, is_tiny, above.is_counted and is_tiny))

    def handle_endtag(self, tag: str) -> None:
        for depth in range(len(self._open) - 1, -1, -1):
            if self._open[depth].tag == tag:
                del self._open[depth:]
                break
        if tag in _BLOCKS:
            self._write("\n")

    def handle_data(self, data: str) -> None:
        if not self.is_hidden:
            self._write(data.replace("\n", " ") if not self._is_preformatted else data)
        elif data.strip() and not self._open[-1].is_hidden and not self._open[-1].is_counted:
            self.hidden += 1
            for each in self._open:
                each.is_counted = True

    @property
    def is_script(self) -> bool:
        """It has come to a script or a style sheet that never ends."""
        return self.cdata_elem is not None

    @property
    def is_hidden(self) -> bool:
        """What stands here is not shown."""
        return bool(self._open) and (self._open[-1].is_hidden or self._open[-1].is_tiny)

    @property
    def _is_preformatted(self) -> bool:
        return any(each.tag == "pre" for each in self._open)

    def _write(self, text: str) -> None:
        if not self.is_hidden:
            self.pieces.append(text)


class _Marking(Reader):
    """With what is raised marked as such."""

    def __init__(self) -> None:
        super().__init__()
        self._raised: tuple[str, int] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        super().handle_starttag(tag, attrs)
        if tag in SIGNS and not self.is_hidden and self._raised is None:
            self._raised = (tag, len(self.pieces))

    def handle_endtag(self, tag: str) -> None:
        if self._raised is not None and self._raised[0] == tag:
            at = self._raised[1]
            self.pieces[at:] = [raised(tag, "".join(self.pieces[at:]))]
            self._raised = None
        super().handle_endtag(tag)


def _is_hiding(attributes: dict[str, str | None], style: str) -> bool:
    if "hidden" in attributes or (attributes.get("aria-hidden") or "").lower() == "true":
        return True
    return _HIDING_STYLE.search(style) is not None


def _is_tiny(style: str, *, is_tiny_above: bool) -> bool:
    sizes = _SIZE.findall(style)
    if not sizes:
        return is_tiny_above
    return _NO_SIZE.fullmatch(sizes[-1]) is not None or (is_tiny_above and _SIZE_OF_THE_PARENT.fullmatch(sizes[-1]) is not None)
