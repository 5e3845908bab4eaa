"""The rules of a page's own style sheets, as far as they may hide something: simple selectors, on a screen of a usual width.

Pure. Understood are tags, classes, ids, attributes, `:not`, `:is` and `:where` of one of these, and descent (`a b`, `a > b`). Rules for
other media, for states that a pointer makes, and for neighbours are left out; sheets that lie elsewhere are not fetched.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mcp_servers.outside.pagetree import Element

Declarations = Mapping[str, str]
MAX_RULES = 4000
SCREEN_WIDTH_PX = 1280.0
HIDING = frozenset(
    "background background-color clip clip-path color display filter font font-size height left margin margin-left margin-top "
    "max-height max-width opacity overflow overflow-x overflow-y position right text-indent top transform visibility width "
    "-webkit-text-fill-color".split()
)
"""Properties that can hide; all others are left out."""
_ESCAPE = re.compile(r"\\([0-9a-fA-F]{1,6})\s?|\\(.)")
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_AT_WITH_RULES = re.compile(r"@(?:supports|layer|media)\b")
_FEATURE = re.compile(r"\((min|max)-width:\s*([\d.]+)(px|em|rem)\)")
_SIMPLE = re.compile(r"[\w-]+|\*|\.[\w-]+|#[\w-]+|\[[^\]]*\]|:(?:not|is|where)\([^()]*\)")
_ATTRIBUTE = re.compile(r"\[\s*([\w-]+)\s*(?:([~|^$*]?)=\s*[\"']?([^\"'\]]*)[\"']?\s*[is]?)?\s*\]")


@dataclass(frozen=True)
class _Rule:
    steps: tuple[tuple[str, ...], ...]
    """From the element upwards: the parts of each compound."""
    is_child: tuple[bool, ...]
    """For each step but the first: the element right above, or any above."""
    weight: tuple[int, int, int, int]
    declarations: Declarations
    important: Declarations


@dataclass
class Sheet:
    """All rules of a page, by what the element must at least have."""

    rules: dict[str, list[_Rule]] = field(default_factory=lambda: defaultdict(list))

    def declarations_of(self, element: Element) -> tuple[dict[str, str], dict[str, str]]:
        """What the rules say of an element: as usual, and as important."""
        keys = [element.tag, "*", *(f".{name}" for name in element.classes), f"#{element.attributes.get('id', '')}"]
        found = [rule for key in dict.fromkeys(keys) for rule in self.rules.get(key, ()) if _fits(rule, element)]
        found.sort(key=lambda rule: rule.weight)
        usual: dict[str, str] = {}
        important: dict[str, str] = {}
        for rule in found:
            usual.update(rule.declarations)
            important.update(rule.important)
        return usual, important


def sheet_of(css: str) -> Sheet:
    """The rules of some CSS that could hide something."""
    sheet = Sheet()
    for number, (selectors, body) in enumerate(_blocks(_COMMENT.sub(" ", css), 0)):
        if number >= MAX_RULES:
            break
        usual, important = declarations_of(body)
        if not usual and not important:
            continue
        for selector in re.split(r",(?![^(\[]*[)\]])", selectors):
            rule = _rule(unescaped(selector).strip(), number, usual, important)
            if rule is not None:
                sheet.rules[_key(rule.steps[0])].append(rule)
    return sheet


def declarations_of(body: str) -> tuple[dict[str, str], dict[str, str]]:
    """The declarations that could hide something: as usual, and as important. Names and values in lower case, single blanks."""
    usual: dict[str, str] = {}
    important: dict[str, str] = {}
    for part in re.split(r";(?![^(]*\))", unescaped(_COMMENT.sub("", body))):
        name, _, value = part.partition(":")
        name, value = name.strip().lower(), " ".join(value.lower().split())
        if name in HIDING and value:
            plain = re.sub(r"\s*!\s*important$", "", value)
            (important if plain != value else usual)[name] = plain
    return usual, important


def unescaped(css: str) -> str:
    r"""CSS with its escapes written out: `\64 isplay` is `display`."""
    return _ESCAPE.sub(lambda match: chr(min(int(match[1], 16), 0x10FFFF)) if match[1] else match[2], css)


def _blocks(css: str, depth: int) -> Iterator[tuple[str, str]]:
    """Selectors and bodies, those inside at-rules that hold on this screen among them."""
    at = 0
    while (opened := css.find("{", at)) >= 0:
        head = css[at:opened].rpartition(";")[2].strip() if ";" in css[at:opened] else css[at:opened].strip()
        closed = _closing(css, opened)
        body = css[opened + 1 : closed]
        if not head.startswith("@"):
            yield head, body
        elif _AT_WITH_RULES.match(head.lower()) and depth < 4 and _holds(head.lower()):
            yield from _blocks(body, depth + 1)
        at = closed + 1


def _closing(css: str, opened: int) -> int:
    depth = 0
    for match in re.compile(r"[{}]").finditer(css, opened):
        depth += 1 if match[0] == "{" else -1
        if depth == 0:
            return match.start()
    return len(css)


def _holds(at_rule: str) -> bool:
    """Whether a media query holds on a light screen of a usual width; what is not understood does."""
    if not at_rule.startswith("@media"):
        return True
    return any(_query_holds(query) for query in at_rule.removeprefix("@media").split(","))


def _query_holds(query: str) -> bool:
    if re.search(r"\b(?:print|speech)\b|:\s*(?:dark|reduce|portrait|more|none)\b", query) and "not" not in query:
        return False
    for side, number, unit in _FEATURE.findall(query):
        try:
            width = float(number) * (1 if unit == "px" else 16)
        except ValueError:
            continue
        if (side == "min") == (width > SCREEN_WIDTH_PX) and width != SCREEN_WIDTH_PX:
            return False
    return True


def _rule(selector: str, order: int, usual: Declarations, important: Declarations) -> _Rule | None:
    words = re.sub(r"\s*>\s*", " > ", selector).split()
    steps: list[tuple[str, ...]] = []
    is_child: list[bool] = []
    for i, word in enumerate(words):
        if word == ">":
            continue
        parts = tuple(_SIMPLE.findall(word))
        if not parts or "".join(parts) != word:
            return None
        steps.append(parts)
        if len(steps) > 1:
            is_child.append(words[i - 1] == ">")
    if not steps:
        return None
    every = [part for step in steps for part in step]
    ids, tags = sum(part.startswith("#") for part in every), sum(part[0] not in "#.[:*" for part in every)
    classes = sum(part[0] in ".[:" for part in every)
    return _Rule(tuple(reversed(steps)), tuple(reversed(is_child)), (ids, classes, tags, order), usual, important)


def _key(parts: tuple[str, ...]) -> str:
    for first in ("#", "."):
        named = [part for part in parts if part.startswith(first)]
        if named:
            return named[0]
    return parts[0].lower() if parts[0][0] not in "[:" else "*"


def _fits(rule: _Rule, element: Element) -> bool:
    if not _has_all(element, rule.steps[0]):
        return False
    here = element.parent
    for step, is_child in zip(rule.steps[1:], rule.is_child, strict=True):
        while here is not None and not _has_all(here, step):
            if is_child:
                return False
            here = here.parent
        if here is None:
            return False
        here = here.parent
    return True


def _has_all(element: Element, parts: tuple[str, ...]) -> bool:
    return all(_has(element, part) for part in parts)


def _has(element: Element, part: str) -> bool:
    if part == "*":
        return bool(element.tag)
    if part[0] == ".":
        return part[1:] in element.classes
    if part[0] == "#":
        return element.attributes.get("id") == part[1:]
    if part[0] == "[":
        return _has_attribute(element, part)
    if part[0] == ":":
        name, _, inner = part[1:-1].partition("(")
        is_any = any(_has_all(element, tuple(_SIMPLE.findall(word.strip()))) for word in inner.split(","))
        return is_any != (name == "not")
    return element.tag == part.lower()


def _has_attribute(element: Element, part: str) -> bool:
    match = _ATTRIBUTE.fullmatch(part)
    value = element.attributes.get(match[1].lower()) if match else None
    if match is None or value is None:
        return False
    if match[3] is None:
        return True
    wanted = match[3]
    tests = {"": value == wanted, "~": wanted in value.split(), "^": value.startswith(wanted), "$": value.endswith(wanted)}
    return tests.get(match[2], value.split("-")[0] == wanted if match[2] == "|" else wanted in value)
