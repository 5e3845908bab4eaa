"""Code on web pages, line by line: highlighters write its lines as elements, and its line numbers as a column beside it.

Pure.
"""

from __future__ import annotations

import re

from mcp_servers.outside.pagetree import BLOCKS, Element

_CELLS = frozenset({"td", "th"})
_NO_LINES = _CELLS | {"tbody", "thead", "tfoot"}
_NUMBERING = frozenset("gutter lineno linenos linenumber linenumbers line-number line-numbers lnt rouge-gutter".split())
"""As highlighters name them. Numbers alone tell nothing: a table may show what goes in beside what comes out."""
_NUMBERS = re.compile(r"[\d\s]*")


def code_of(element: Element) -> str:
    """What a person sees in a `pre`: `<br>` and the ends of blocks are line ends, too."""
    pieces: list[str] = []
    _write(element, pieces)
    return "".join(pieces)


def code_cells(rows: list[Element]) -> list[Element] | None:
    """The cells of a table that lays out code, without the numbers beside it.

    Returns:
        None where it is a table as any other: no code of several lines is in it, and none with numbers.
    """
    cells = [cell for row in rows for cell in row.elements() if cell.tag in _CELLS]
    codes = [code_of(pre).strip("\n") for cell in cells for pre in _pres(cell)]
    shown = [cell for cell in cells if not _is_numbers(cell)]
    is_layout = any("\n" in code for code in codes) or (bool(codes) and len(shown) < len(cells))
    return shown if is_layout else None


def _is_numbers(cell: Element) -> bool:
    """The line numbers beside some code, and nothing else."""
    return _NUMBERS.fullmatch(cell.text()) is not None and not _NUMBERING.isdisjoint(_names(cell))


def _names(element: Element) -> list[str]:
    return [*element.classes, *(name for child in element.elements() for name in _names(child))]


def _pres(element: Element) -> list[Element]:
    return [pre for child in element.elements() for pre in ([child] if child.tag == "pre" else _pres(child))]


def _write(element: Element, pieces: list[str]) -> None:
    for child in element.children:
        if isinstance(child, str):
            pieces.append(child)
        elif child.tag == "br":
            pieces.append("\n")
        elif child.tag in _CELLS:
            if not _is_numbers(child):
                pieces += [] if _is_at_a_beginning(pieces) else ["\t"]
                _write(child, pieces)
        elif child.tag in BLOCKS and child.tag not in _NO_LINES:
            _end_line(pieces)
            before = len(pieces)
            _write(child, pieces)
            if len(pieces) > before:
                _end_line(pieces)
        else:
            _write(child, pieces)


def _end_line(pieces: list[str]) -> None:
    if not _is_at_a_beginning(pieces):
        pieces.append("\n")


def _is_at_a_beginning(pieces: list[str]) -> bool:
    return not pieces or pieces[-1].endswith("\n")
