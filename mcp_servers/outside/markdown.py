"""What is left of a web page, as Markdown: headings, paragraphs, lists, links, code, quotations and tables.

Pure. Links are whole addresses of the web, with a note where the text says another site than the one that they lead to. Images are nothing.
Menus and footers are left out and counted.
"""

from __future__ import annotations

import re
from collections import Counter
from urllib.parse import urljoin, urlsplit

from mcp_servers.outside.code import code_cells, code_of
from mcp_servers.outside.pagetree import BLOCKS, Element
from mcp_servers.outside.raised import SIGNS, raised

MAX_LINK_CHARS = 300
"""A longer address says nothing to a reader; its site is shown instead."""
_MENUS = frozenset({"nav", "footer"})
_MENU_ROLES = frozenset({"navigation", "contentinfo", "search", "menu", "menubar"})
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_MARKS = {"strong": "**", "b": "**", "em": "*", "i": "*", "code": "`", "kbd": "`", "samp": "`", "del": "~~", "s": "~~"}
_A_SITE = re.compile(r"(?:https?://)?((?:[\w-]+\.)+[a-z]{2,})(?:[/?#]\S*)?", re.IGNORECASE)


def markdown_of(root: Element, base: str) -> tuple[str, Counter[str]]:
    """The page's text, and how many menus were left out.

    Args:
        root: the page, without what is hidden.
        base: its address, which relative links start from.
    """
    writer = _Writer(base)
    text = "\n\n".join(writer.blocks(root))
    return re.sub(r"\n{3,}", "\n\n", text).strip(), writer.left_out


class _Writer:
    def __init__(self, base: str) -> None:
        self._base = base
        self.left_out: Counter[str] = Counter()

    def blocks(self, element: Element) -> list[str]:
        """The blocks of an element, each some lines."""
        found: list[str] = []
        line: list[str] = []
        for child in element.children:
            if isinstance(child, Element) and (child.tag in BLOCKS or (child.holds_blocks and child.tag != "a")):
                found += _paragraph("".join(line))
                line = []
                found += self._block(child)
            else:
                line.append(child if isinstance(child, str) else self._inline(child))
        return [block for block in [*found, *_paragraph("".join(line))] if block]

    def _block(self, element: Element) -> list[str]:
        tag = element.tag
        if tag in _MENUS or element.attributes.get("role", "").lower() in _MENU_ROLES:
            self.left_out["menus"] += bool(element.text().strip())
            return []
        if tag in _HEADINGS:
            text = " ".join(self._line(element).split())
            return [f"{'#' * _HEADINGS[tag]} {text}"] if text else []
        if tag in {"ul", "ol"}:
            return self._list(element)
        if tag == "pre":
            return [_fenced(code_of(element))]
        if tag == "table":
            return self._table(element)
        if tag == "hr":
            return ["---"]
        inner = self.blocks(element)
        if tag == "blockquote":
            return ["\n".join(f"> {line}".rstrip() for line in "\n\n".join(inner).split("\n"))] if inner else []
        if tag == "dt":
            return [f"**{' '.join(inner)}**"] if inner else []
        return inner

    def _list(self, element: Element) -> list[str]:
        lines: list[str] = []
        for number, item in enumerate((child for child in element.elements()), start=1):
            mark = f"{number}. " if element.tag == "ol" else "- "
            inner = "\n".join(self.blocks(item) if item.tag == "li" else self._block(item)).split("\n")
            if any(inner):
                lines += [f"{mark}{inner[0]}", *(f"{' ' * len(mark)}{line}" for line in inner[1:])]
        return ["\n".join(lines)] if lines else []

    def _table(self, element: Element) -> list[str]:
        code = code_cells(_rows(element))
        if code is not None:
            return [block for cell in code for block in self.blocks(cell)]
        # Each cell is read once: a table in a table in a table would be read twice as often with each.
        read = [[(cell.tag, self.blocks(cell)) for cell in row.elements()] for row in _rows(element)]
        rows = [[_one_line(blocks) for tag, blocks in row if tag in {"td", "th"}] for row in read]
        rows = [row for row in rows if any(row)]
        width = max((len(row) for row in rows), default=0)
        if width <= 1:
            # A table for the layout, not for figures: its cells are blocks.
            return [block for row in read for _, blocks in row for block in blocks]
        lines = ["| " + " | ".join(row + [""] * (width - len(row))) + " |" for row in rows]
        return ["\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])]

    def _line(self, element: Element) -> str:
        return "".join(child if isinstance(child, str) else self._inline(child) for child in element.children)

    def _inline(self, element: Element) -> str:
        if element.tag == "br":
            return "\0"
        if element.attributes.get("role", "").lower() in _MENU_ROLES:
            self.left_out["menus"] += bool(element.text().strip())
            return ""
        inner = self._line(element)
        if element.tag in BLOCKS:
            return f" {inner} "
        if element.tag == "a":
            return self._link(inner, element)
        if element.tag in SIGNS:
            return raised(element.tag, inner)
        mark = _MARKS.get(element.tag, "")
        stripped = inner.strip(" \t\n\0")
        if not mark or not stripped:
            return inner
        return inner.replace(stripped, f"{mark}{stripped}{mark}", 1)

    def _link(self, inner: str, element: Element) -> str:
        text = " ".join(inner.replace("\0", " ").split())
        url = _whole(self._base, element.attributes.get("href", ""))
        if not text or not url:
            return inner
        site = urlsplit(url).hostname or ""
        shown = url if len(url) <= MAX_LINK_CHARS else f"https://{site}/..."
        # Marks in the words must not hide that they are a site's name, nor may what is left out of them.
        named = [said[1] for words in (text, " ".join(element.text().split())) if (said := _A_SITE.fullmatch(words))]
        note = "" if all(_is_same_site(each.lower(), site) for each in named) else f" (leads to {site})"
        lead, tail = (" " if inner[:1].isspace() else ""), (" " if inner[-1:].isspace() else "")
        return f"{lead}[{text}]({shown}){note}{tail}"


def _one_line(blocks: list[str]) -> str:
    return " ".join(" ".join(blocks).split()).replace("|", "\\|")


def _rows(table: Element) -> list[Element]:
    found: list[Element] = []
    for child in table.elements():
        found += [child] if child.tag == "tr" else _rows(child) if child.tag in {"thead", "tbody", "tfoot"} else []
    return found


def _paragraph(text: str) -> list[str]:
    """Runs of blanks are one, `<br>` is a line end."""
    lines = [" ".join(line.split()) for line in text.split("\0")]
    joined = "\n".join(lines).strip()
    return [joined] if joined else []


def _fenced(text: str) -> str:
    runs = [len(run) for run in re.findall(r"`+", text)]
    fence = "`" * max(3, *(run + 1 for run in runs)) if runs else "```"
    return f"{fence}\n{text.strip(chr(10))}\n{fence}" if text.strip() else ""


def _whole(base: str, href: str) -> str:
    """The link's whole address, or nothing where it leads to no page of the web or only elsewhere on this one."""
    if href.strip().startswith("#"):
        return ""
    try:
        url = urljoin(base, href.strip())
        parts = urlsplit(url)
    except ValueError:
        return ""
    is_page = parts.scheme in {"http", "https"} and parts.hostname and "@" not in parts.netloc
    return re.sub(r"[\s()<>]", lambda match: f"%{ord(match[0]):02X}", url) if is_page and href.strip() else ""


def _is_same_site(said: str, site: str) -> bool:
    one, other = said.split(".")[-2:], site.lower().split(".")[-2:]
    return one == other
