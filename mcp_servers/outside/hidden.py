"""Text of a web page that a person would not see: found, taken out and counted by kind.

Pure. A page can hold words that only a machine reads, and commands for it are written there. The twelve kinds are those that common
converters let through. What is taken out may now and then be harmless (a menu that opens, a word for a screen reader); it is counted, so
that a reader knows.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace

from mcp_servers.outside.formulas import UNDRAWN
from mcp_servers.outside.pagetree import Element
from mcp_servers.outside.stylesheets import Sheet, declarations_of, sheet_of

KINDS = (
    *("display:none", "style sheet", "hidden attribute", "aria-hidden", "tiny type", "same colour"),
    *("off screen", "visibility", "opacity", "noscript", "template", "alt text"),
)
NEVER_SHOWN = frozenset("script style head title object svg iframe select textarea button datalist canvas audio video".split()) | UNDRAWN
"""No text of the page, or none that can be read as such."""
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6", "summary", "dt"})
_TINY_PX = 3.0
_FAINT = 0.12
_NEAR = 24
"""Of 255, for each of the three colours: nobody tells such two apart."""
_FAR_PX = 400.0
_BUTTON_PX = 13.33
_PX = {
    "px": 1.0,
    "": 1.0,
    "pt": 1.33,
    "em": 16.0,
    "rem": 16.0,
    "ex": 8.0,
    "ch": 8.0,
    "vw": 12.8,
    "vh": 8.0,
    "%": 10.0,
    "cm": 38.0,
    "in": 96.0,
}
_LENGTH = re.compile(r"(-?\d*\.?\d+)(px|pt|rem|em|ex|ch|vw|vh|%|cm|in|)(?![\w%])")
_NAMED = {
    **{
        "white": (255, 255, 255),
        "black": (0, 0, 0),
        "red": (255, 0, 0),
        "green": (0, 128, 0),
        "blue": (0, 0, 255),
        "yellow": (255, 255, 0),
    },
    **{"gray": (128, 128, 128), "grey": (128, 128, 128), "silver": (192, 192, 192), "snow": (255, 250, 250), "ivory": (255, 255, 240)},
    **{"whitesmoke": (245, 245, 245), "ghostwhite": (248, 248, 255), "floralwhite": (255, 250, 240), "azure": (240, 255, 255)},
    **{
        "navy": (0, 0, 128),
        "lightgray": (211, 211, 211),
        "lightgrey": (211, 211, 211),
        "gainsboro": (220, 220, 220),
        "mintcream": (245, 255, 250),
    },
}
_SHUT_CLIP = re.compile(
    r"rect\((?:\s*[01](?:px)?[\s,]*){4}\)|inset\(\s*(?:[5-9]\d|100)%|circle\(\s*0|polygon\(\s*\)|polygon\((?:\s*0(?:px)?[\s,]*)+\)"
)
_AWAY = re.compile(r"scale(?:3d|x|y)?\(\s*0(?:\.0+)?\s*[,)]|translate(?:3d|x|y)?\(([^)]*)\)")

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class _Look:
    """What an element hands down."""

    ink: Colour | None = (0, 0, 0)
    """None: not told in a way that is understood."""
    paper: Colour | None = (255, 255, 255)
    type_px: float = 16.0
    is_clear: bool = False
    """Its ink is see-through."""
    is_folding: bool = False
    """All that its heading shows are buttons: the heading of a part that folds."""


def without_hidden(root: Element) -> Counter[str]:
    """Take what is hidden out of a page's tree; how many elements with text in them, by kind."""
    sheets = "\n".join(element.text() for element in _named(root, "style"))
    counts: Counter[str] = Counter()
    _prune(root, sheet_of(sheets), _Look(), counts)
    return counts


def _named(element: Element, tag: str) -> list[Element]:
    return [found for child in element.elements() for found in ([child] if child.tag == tag else _named(child, tag))]


def _prune(element: Element, sheet: Sheet, look: _Look, counts: Counter[str]) -> None:
    kept: list[Element | str] = []
    for child in element.children:
        if isinstance(child, str):
            kept.append(child)
            continue
        if child.tag == "button":
            # In its own look, and in the one that it would have without: nobody knows of all of it whether it is handed down to a button.
            is_shown = look.is_folding and _is_left(child, sheet, look, counts)
            if is_shown and _is_left(child, sheet, replace(look, is_folding=False), counts):
                kept.append(child)
            continue
        if child.tag in NEVER_SHOWN:
            continue
        if child.tag == "img":
            counts["alt text"] += bool(child.attributes.get("alt", "").strip())
            continue
        if _is_left(child, sheet, look, counts):
            kept.append(child)
    element.children = kept


def _is_left(element: Element, sheet: Sheet, look: _Look, counts: Counter[str]) -> bool:
    """Whether an element is shown, or something in it; the rest is taken out of it."""
    kind, below = _kind(element, sheet, look)
    if kind == "same colour" or kind == "tiny type":
        # Only what keeps that look is hidden: what is inside may have one of its own.
        before = sum(counts.values())
        _prune_own_text(element, sheet, below, counts, kind)
        return bool(element.children) or sum(counts.values()) > before
    if kind:
        counts[kind] += bool(element.text().strip())
        return False
    _prune(element, sheet, below, counts)
    return True


def _prune_own_text(element: Element, sheet: Sheet, look: _Look, counts: Counter[str], kind: str) -> None:
    own = "".join(child for child in element.children if isinstance(child, str))
    counts[kind] += bool(own.strip())
    element.children = list(element.elements())
    _prune(element, sheet, look, counts)


def _text_beside_buttons(element: Element) -> str:
    shown = (child for child in element.children if isinstance(child, str) or child.tag not in NEVER_SHOWN)
    return "".join(child if isinstance(child, str) else _text_beside_buttons(child) for child in shown)


def _kind(element: Element, sheet: Sheet, look: _Look) -> tuple[str, _Look]:
    """Why an element is hidden, or nothing; and what it hands down."""
    by_itself = _kind_by_attributes(element)
    if by_itself:
        return by_itself, look
    inline, inline_important = declarations_of(element.attributes.get("style", ""))
    ruled, ruled_important = sheet.declarations_of(element)
    alone = {**_from_attributes(element), **inline, **inline_important}
    all_said = {**_from_attributes(element), **ruled, **inline, **ruled_important, **inline_important}
    below = _handed_down(all_said, _of_a_button(all_said, look) if element.tag == "button" and look.is_folding else look)
    if element.tag in _HEADINGS:
        below = replace(below, is_folding=not any(letter.isalnum() for letter in _text_beside_buttons(element)))
    kind = _kind_by_style(all_said, below)
    if not kind:
        return "", below
    # A look that is only inherited was hidden above, and is still.
    told_inline = _kind_by_style(alone, _handed_down(alone, look)) == kind
    return kind if told_inline or not (ruled or ruled_important) else "style sheet", below


def _kind_by_attributes(element: Element) -> str:
    if element.tag in {"noscript", "template"}:
        return element.tag
    if "hidden" in element.attributes or (element.tag == "dialog" and "open" not in element.attributes):
        return "hidden attribute"
    if element.attributes.get("aria-hidden", "").strip().lower() == "true":
        return "aria-hidden"
    return ""


def _from_attributes(element: Element) -> dict[str, str]:
    """Looks that old pages write as attributes."""
    names = {"color": "color", "bgcolor": "background-color", "text": "color"}
    said = {names[name]: value.strip().lower() for name, value in element.attributes.items() if name in names and value}
    return said if element.tag in {"font", "body", "table", "tr", "td", "th", "basefont"} else {}


def _kind_by_style(said: dict[str, str], look: _Look) -> str:
    if said.get("display") == "none":
        return "display:none"
    if said.get("visibility") in {"hidden", "collapse"}:
        return "visibility"
    faint = [said.get("opacity", ""), *re.findall(r"opacity\(([^)]*)\)", said.get("filter", ""))]
    if any(_share(value) <= _FAINT for value in faint if value):
        return "opacity"
    if _is_away(said):
        return "off screen"
    if look.type_px < _TINY_PX:
        return "tiny type"
    if look.is_clear or (look.ink is not None and look.paper is not None and _are_near(look.ink, look.paper)):
        return "same colour"
    return ""


def _is_away(said: dict[str, str]) -> bool:
    if "clip" in said or "clip-path" in said:
        shut = f"{said.get('clip', '')} {said.get('clip-path', '')}"
        if _SHUT_CLIP.search(shut):
            return True
    sides = ["margin-left", "margin-top", "text-indent", "margin"]
    if said.get("position") in {"absolute", "fixed", "relative", "sticky"}:
        sides += ["left", "top", "right", "bottom"]
    if any(length <= -_FAR_PX for side in sides for length in _lengths(said.get(side, ""))):
        return True
    if said.get("position") in {"absolute", "fixed"} and any(
        length >= 10 * _FAR_PX for side in ("left", "top") for length in _lengths(said.get(side, ""))
    ):
        return True
    moved = _AWAY.search(said.get("transform", ""))
    if moved and (moved[1] is None or any(abs(length) >= _FAR_PX and length < 0 for length in _lengths(moved[1]))):
        return True
    is_cut = any(said.get(name) in {"hidden", "clip"} for name in ("overflow", "overflow-x", "overflow-y"))
    return is_cut and any(
        0 <= length <= 1 for name in ("height", "width", "max-height", "max-width") for length in _lengths(said.get(name, ""))
    )


def _handed_down(said: dict[str, str], look: _Look) -> _Look:
    ink, is_clear = look.ink, look.is_clear
    for name in ("color", "-webkit-text-fill-color"):
        if name in said and said[name] not in {"inherit", "currentcolor", "unset"}:
            ink, is_clear = _colour(said[name]), _is_clear(said[name])
    paper = look.paper
    for name in ("background", "background-color"):
        value = said.get(name, "")
        if "url(" in value or "gradient(" in value:
            paper = None
        elif value and value not in {"none", "inherit", "unset", "initial"} and not _is_clear(value):
            paper = _colour(value)
    return replace(look, ink=ink, paper=paper, is_clear=is_clear, type_px=_type_px(said, look.type_px))


def _of_a_button(said: dict[str, str], look: _Look) -> _Look:
    """Browsers give a button a look of its own, of which nothing is handed down to it that it does not ask for."""
    papers = [said[name] for name in ("background", "background-color") if name in said]
    is_bare = any(value in {"none", "inherit", "unset", "initial"} or _is_clear(value) for value in papers)
    asks_for_ink = said.get("color") in {"inherit", "currentcolor", "unset"}
    return _Look(
        look.ink if asks_for_ink else (0, 0, 0), look.paper if is_bare else (239, 239, 239), _BUTTON_PX, asks_for_ink and look.is_clear
    )


def _type_px(said: dict[str, str], above_px: float) -> float:
    value = said.get("font-size") or next(
        iter(re.findall(r"(?:^|\s)(-?\d*\.?\d+(?:px|pt|r?em|%|vw)?)(?=\s*/|\s)", said.get("font", ""))), ""
    )
    match = _LENGTH.fullmatch(value.strip())
    if match is None:
        return above_px
    number, unit = float(match[1]), match[2]
    return number * above_px / (100 if unit == "%" else 1) if unit in {"em", "%"} else number * _PX[unit]


def _lengths(value: str) -> list[float]:
    return [float(number) * _PX[unit] for number, unit in _LENGTH.findall(value)]


def _share(value: str) -> float:
    match = re.fullmatch(r"\s*(-?\d*\.?\d+)(%?)\s*", value)
    return float(match[1]) / (100 if match[2] else 1) if match else 1.0


def _colour(value: str) -> Colour | None:
    value = value.strip()
    word = value.split()[0] if value else ""
    if word in _NAMED:
        return _NAMED[word]
    if match := re.match(r"#([0-9a-f]{3,4})(?![0-9a-f])", value):
        return (int(match[1][0] * 2, 16), int(match[1][1] * 2, 16), int(match[1][2] * 2, 16))
    if match := re.match(r"#([0-9a-f]{6})", value):
        return (int(match[1][:2], 16), int(match[1][2:4], 16), int(match[1][4:6], 16))
    if match := re.match(r"rgba?\(\s*([\d.]+)(%?)[\s,]+([\d.]+)%?[\s,]+([\d.]+)%?", value):
        scale = 2.55 if match[2] else 1.0
        red, green, blue = (int(float(part) * scale) for part in (match[1], match[3], match[4]))
        return (red, green, blue)
    if match := re.match(r"hsla?\(\s*[\d.]+(?:deg)?[\s,]+[\d.]+%[\s,]+([\d.]+)%", value):
        # Only the ends of lightness have one colour, whatever the hue.
        light = float(match[1])
        return (255, 255, 255) if light >= 98 else (0, 0, 0) if light <= 2 else None
    return None


def _is_clear(value: str) -> bool:
    if value.split(" ")[0] == "transparent":
        return True
    alpha = re.search(r"(?:rgba?|hsla?)\([^)]*[,/]\s*([\d.]+%?)\s*\)", value) if value.count(",") == 3 or "/" in value else None
    return alpha is not None and _share(alpha[1]) <= _FAINT


def _are_near(one: Colour, other: Colour) -> bool:
    return all(abs(a - b) <= _NEAR for a, b in zip(one, other, strict=True))
