"""A web page as a tree of elements, as forgiving as a browser where pages are commonly wrong.

Pure. Deeper nesting than `MAX_DEPTH` is dropped: no person wrote it, and whoever walks the tree may do so by recursion.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from mcp_servers.outside.browserlike import BrowserLike

MAX_DEPTH = 150
BLOCKS = frozenset(
    "address article aside blockquote body center dd details dialog div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 "
    "h5 h6 header hr html li main nav ol p pre section summary table tbody td tfoot th thead tr ul".split()
)
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_ENDS_A_PARAGRAPH = BLOCKS - {"body", "html", "tbody", "td", "tfoot", "th", "thead", "tr"}
_ENDED_BY = {
    "li": ({"li"}, {"ul", "ol"}),
    "dt": ({"dt", "dd"}, {"dl"}),
    "dd": ({"dt", "dd"}, {"dl"}),
    "tr": ({"tr", "td", "th"}, {"table"}),
    "td": ({"td", "th"}, {"tr", "table"}),
    "th": ({"td", "th"}, {"tr", "table"}),
    "tbody": ({"tbody", "thead", "tr", "td", "th"}, {"table"}),
    "option": ({"option"}, {"select"}),
}
"""Tag -> what it ends without an end tag, and how far up it looks."""


@dataclass(eq=False)
class Element:
    """One element and what is in it. `holds_blocks` is whether a block lies anywhere below it."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict[str, str])
    children: list[Element | str] = field(default_factory=list["Element | str"])
    parent: Element | None = None
    holds_blocks: bool = False

    @property
    def classes(self) -> list[str]:
        return self.attributes.get("class", "").split()

    def elements(self) -> Iterator[Element]:
        return (child for child in self.children if isinstance(child, Element))

    def text(self) -> str:
        """All text below it."""
        return "".join(child if isinstance(child, str) else child.text() for child in self.children)


def tree_of(html: str) -> Element:
    """The page's root, which is no element of the page."""
    builder = _Builder()
    builder.read(html)
    return builder.root


class _Builder(BrowserLike):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("")
        self._open = [self.root]
        self._too_deep: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._too_deep:
            self._too_deep += [] if tag in _VOID or len(self._too_deep) > MAX_DEPTH else [tag]
            return
        self._end_what_this_ends(tag)
        # The first of two attributes of one name counts, as in a browser.
        element = Element(tag, {name: value or "" for name, value in reversed(attrs)}, parent=self._open[-1])
        if len(self._open) > MAX_DEPTH:
            self._too_deep += [] if tag in _VOID else [tag]
            return
        self._open[-1].children.append(element)
        if tag in BLOCKS:
            self._mark_above()
        if tag not in _VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        opened = self._too_deep or [element.tag for element in self._open]
        if tag in opened:
            at = len(opened) - 1 - opened[::-1].index(tag)
            del (self._too_deep if self._too_deep else self._open)[at:]

    def handle_data(self, data: str) -> None:
        if not self._too_deep:
            self._open[-1].children.append(data)

    def _end_what_this_ends(self, tag: str) -> None:
        if tag in _ENDS_A_PARAGRAPH and self._open[-1].tag == "p":
            self._open.pop()
        ended, bounds = _ENDED_BY.get(tag, (set[str](), set[str]()))
        at = 0
        for depth in range(len(self._open) - 1, 0, -1):
            if self._open[depth].tag in bounds:
                break
            if self._open[depth].tag in ended:
                at = depth
        if at:
            del self._open[at:]

    def _mark_above(self) -> None:
        for element in reversed(self._open):
            if element.holds_blocks:
                break
            element.holds_blocks = True
