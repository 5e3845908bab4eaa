"""Formulas of web pages in one line, as `$E=mc^2$`, out of what a browser draws of their MathML and of nothing else.

Pure. Beside it stand texts that nobody sees: `alttext`, annotations, copies for screen readers. A page may write in them what it likes, so
they are not read, and a formula that only they tell is told as one that cannot be read. There are two such copies that are: KaTeX's, where
all of its letters stand in what is drawn, and that of Wikimedia's wikis, whose own program writes picture and copy out of one source.
"""

from __future__ import annotations

import re
from collections import Counter
from urllib.parse import urlsplit

from mcp_servers.outside.pagetree import Element

UNREADABLE = "[formula]"
UNDRAWN = frozenset({"annotation", "annotation-xml", "mphantom"})
"""No browser shows them."""
_WIKIS = re.compile(
    r"(?:[\w-]+\.)*(?:wikipedia|wikibooks|wikiversity|wiktionary|wikimedia|wikidata|wikisource|wikiquote|wikinews|wikivoyage|mediawiki)\.org"
)
_TOKENS = frozenset({"mi", "mn", "mo", "mtext", "ms"})
_ROWS = frozenset({"math", "mrow", "mstyle", "mpadded", "merror", "menclose", "mtd", "mfenced"})
_BELOW_AND_ABOVE = {"msub": "_", "munder": "_", "msup": "^", "mover": "^", "msubsup": "_^", "munderover": "_^"}
_UNSEEN = re.compile("[\u2061-\u2064\u200b-\u200f]")
_SCRIPTED = frozenset({*_BELOW_AND_ABOVE, "mroot"})
_MAX_SMALLER = 5
"""Scripts in scripts that can still be read: each is written a third smaller than what it stands at."""
_MOVES = frozenset({"width", "lspace", "rspace", "voffset"})
_NEAR = re.compile(r"\+?\d?(?:\.\d+)?[a-z%]*")
_BACK = re.compile(r"-[01]?(?:\.\d+)?(?:r?em|ex|mu|px|pt|%)?")
"""What is farther aside may stand where nobody looks."""
_MAX_BACK = 10
"""Small steps back in one formula; more of them lead out of the page, too."""
_MAX_DRAWN_CHARS = 5000
_COLOURS = frozenset({"mathcolor", "mathbackground", "color", "background"})
"""They may make letters look like their paper."""
_SEEN_SIZE = re.compile(r"(?:[1-9]\d{0,2}(?:\.\d+)?|0?\.[5-9]\d*)r?em|(?:[5-9]\d|[1-9]\d\d)(?:\.\d+)?%|small|normal|big")
_SEEN_LEVEL = re.compile(r"\s*\+?[0-2]\s*")


class _Unread(ValueError):
    """There is something in it that is not known, or not where a formula's parts are."""


def with_copies_judged(root: Element, url: str) -> None:
    """Of a formula and its copy leave what can be told, before what is hidden is taken out.

    Args:
        root: the page.
        url: its address.
    """
    parts = urlsplit(url)
    is_wiki = parts.scheme == "https" and _WIKIS.fullmatch(parts.hostname or "") is not None
    for element in _formulas(root):
        pictures = [child for child in element.elements() if child.tag == "img"]
        copies = [child for child in element.elements() if child.tag != "img"]
        math = _math(copies[0]) if len(copies) == 1 else None
        if "katex" in element.classes:
            for drawn in _drawn(element):
                # It is hidden from screen readers alone.
                drawn.attributes.pop("aria-hidden", None)
        elif _is_by_mathjax(element):
            element.children = [UNREADABLE]
        elif pictures and is_wiki and math is not None and math.parent is copies[0]:
            # It stands for the picture: what hides that one hides it.
            math.attributes = {name: value for name, value in pictures[0].attributes.items() if name in {"class", "id", "style", "hidden"}}
            math.parent = element
            element.children = [math]
        elif pictures:
            element.children = [UNREADABLE]


def with_formulas(root: Element) -> None:
    """Write formulas as text, after what is hidden was taken out."""
    for element in _formulas(root):
        math = _math(element)
        if "katex" in element.classes:
            drawn = "".join(each.text() for each in _drawn(element))
            element.children = [math] if math is not None and _stands_in(math, drawn) else [UNREADABLE]
        elif not element.text().strip():
            element.children = [UNREADABLE]
    _write_out(root)


def formula_of(math: Element) -> str:
    """What is drawn of a `math`; nothing where nothing is."""
    try:
        if _smaller(math) > _MAX_SMALLER or _steps_back(math) > _MAX_BACK:
            raise _Unread
        text = _told(math)
    except _Unread:
        return UNREADABLE
    return f"${text}$" if text else ""


def _formulas(element: Element) -> list[Element]:
    """The elements in which programs that draw formulas put one."""
    return [found for child in element.elements() for found in ([child] if _is_formula(child) else _formulas(child))]


def _is_formula(element: Element) -> bool:
    return _is_by_mathjax(element) or _is_by_katex(element) or "mwe-math-element" in element.classes


def _is_by_katex(element: Element) -> bool:
    """And no part of a page that has its name from it: what it draws has no blocks."""
    parts = {name for child in element.elements() for name in child.classes}
    return "katex" in element.classes and (not element.holds_blocks or not parts.isdisjoint({"katex-html", "katex-mathml"}))


def _is_by_mathjax(element: Element) -> bool:
    """It draws with letters of its style sheet, or as a picture: nothing in the page tells what is seen."""
    return element.tag == "mjx-container" or ("MathJax" in element.classes and not element.holds_blocks)


def _drawn(katex: Element) -> list[Element]:
    return [child for child in katex.elements() if "katex-html" in child.classes]


def _stands_in(math: Element, drawn: str) -> bool:
    """All letters and digits are drawn, and those of a word side by side. The order of the others differs, such as of a fraction's."""
    shown = _letters(drawn)
    if len(shown) > _MAX_DRAWN_CHARS:
        return False
    tokens = [_letters(token) for token in _tokens(math)]
    return bool(tokens or not shown) and not Counter("".join(tokens)) - Counter(shown) and all(token in shown for token in tokens)


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text))


def _tokens(element: Element) -> list[str]:
    return [text for child in element.elements() for text in ([child.text()] if child.tag in _TOKENS else _tokens(child))]


def _math(element: Element) -> Element | None:
    return next((found for child in element.elements() if (found := child if child.tag == "math" else _math(child))), None)


def _write_out(element: Element) -> None:
    for i, child in enumerate(element.children):
        if isinstance(child, Element):
            if child.tag == "math":
                element.children[i] = formula_of(child)
            else:
                _write_out(child)


def _told(element: Element) -> str:
    tag, parts = element.tag, list(element.elements())
    if _is_out_of_sight(element.attributes):
        raise _Unread
    if tag in _TOKENS:
        if _math(element) is not None:
            raise _Unread
        return " ".join(_UNSEEN.sub("", element.text()).split())
    if tag in _ROWS:
        return _joined([_told(part) for part in parts])
    if tag == "semantics":
        return _told(parts[0]) if parts else ""
    if tag in {"mspace", "none"}:
        return ""
    if tag == "msqrt":
        return f"√({_joined([_told(part) for part in parts])})"
    if tag == "mtable":
        return f"[{'; '.join(_row_told(row) for row in parts)}]"
    return _with_parts(element, [_told(part) for part in parts])


def _is_out_of_sight(attributes: dict[str, str]) -> bool:
    """It may be of no colour or size to be seen, or far from where its formula is."""
    moves = [attributes.get(name, "").strip().lower() for name in _MOVES]
    return (
        not _COLOURS.isdisjoint(attributes)
        or not _SEEN_SIZE.fullmatch(attributes.get("mathsize", "normal").strip())
        or not _SEEN_LEVEL.fullmatch(attributes.get("scriptlevel", "0"))
        or not all(_NEAR.fullmatch(move) or _BACK.fullmatch(move) for move in moves)
    )


def _smaller(element: Element) -> int:
    """How often something in it is written smaller than what it is in."""
    own = element.tag == "mfrac" or "mathsize" in element.attributes or element.attributes.get("scriptlevel", "0").strip() != "0"
    has_scripts = element.tag in _SCRIPTED
    return own + max((_smaller(part) + (has_scripts and i > 0) for i, part in enumerate(element.elements())), default=0)


def _steps_back(element: Element) -> int:
    own = sum(element.attributes.get(name, "").strip().startswith(("-", "negative")) for name in _MOVES)
    return own + sum(_steps_back(part) for part in element.elements())


def _row_told(row: Element) -> str:
    if row.tag != "mtr" or _is_out_of_sight(row.attributes):
        raise _Unread
    return ", ".join(_told(cell) for cell in row.elements())


def _with_parts(element: Element, parts: list[str]) -> str:
    """Elements whose parts mean something by their place: where one is missing, they mean something else."""
    signs = _BELOW_AND_ABOVE.get(element.tag, "")
    if element.tag in {"munder", "mover"} and len(parts) == 2 and len(parts[1]) == 1 and not parts[1].isalnum():
        return parts[0] + parts[1]  # a bar, a hat, an arrow
    if signs and len(parts) == len(signs) + 1:
        return _grouped(parts[0]) + "".join(_scripted(sign, part) for sign, part in zip(signs, parts[1:], strict=True))
    if element.tag == "mfrac" and len(parts) == 2:
        is_line = element.attributes.get("linethickness", "1") not in {"0", "0px", "0pt", "0em"}
        return f"{_grouped(parts[0])}/{_grouped(parts[1])}" if is_line else f"({parts[0]} over {parts[1]})"
    if element.tag == "mroot" and len(parts) == 2:
        return f"√[{parts[1]}]({parts[0]})"
    raise _Unread


def _scripted(sign: str, part: str) -> str:
    return f"{sign}{_grouped(part)}" if part else ""


def _grouped(part: str) -> str:
    return part if len(part) <= 1 or part.isdecimal() or part.isalpha() else f"({part})"


def _joined(parts: list[str]) -> str:
    """Side by side; two names or two numbers do not become one."""
    text = last = ""
    for part in filter(None, parts):
        first = re.split(r"[\W_]", part, maxsplit=1)[0]
        is_apart = last[-1:].isalnum() and (len(first) > 1 or (bool(first) and (len(last) > 1 or (last + first).isdecimal())))
        text += f" {part}" if is_apart else part
        last = part
    return text
