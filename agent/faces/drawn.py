r"""Pictures in an answer, which an editor or a chat page fetches by itself: one whose address would tell what was read is told as text.

Pure. The rule is that of `fetch_page`: an address that a person would be asked about there is not drawn here, where nobody is asked. It
is read strictly, as each program reads Markdown in its own way: what may be a picture counts as one. A link waits for a click, and stays.
A tag that fetches is told as `<\img`, which is none in Markdown, in HTML within it, or on a page that takes an answer for HTML.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from functools import partial

from agent.events import Event
from agent.safety.links import LINK_CHARS
from agent.safety.manifest import MANIFEST
from agent.safety.provenance import Origins, fetch_leak_of
from agent.safety.taint import Taint

TAG_CHARS = 2_000
"""No picture that is meant well has a longer tag."""
STYLE_CHARS = 20_000
"""No sheet of styles that is meant well is longer in an answer."""
NESTED = 4
"""No page that is meant well stands so deep in a page in a page that it is escaped more often."""
_PLACE = re.compile(r"!\[|\n[ \t]*\n|\](?:[ \t]*\(|:)\s*|<[a-zA-Z](?:[^\s/>]{0,99}[\s/]|[^\s/>]{100})|<(?i:style)>")
"""Where a picture begins, where a paragraph ends, where an address follows, and a tag, whose name may have any signs in HTML."""
_BEGUN = re.compile(r"(?:!|\][ \t]*|\n[ \t]*|<(?:[a-zA-Z][^\s/>]{0,99})?)\Z")
"""What may become such a place with the next piece."""
_TAGS = (
    re.compile(r"""<(?:[^"'>]++|"[^"]*"|'[^']*')*+>"""),
    re.compile(r"""<(?:[^=>]++|=\s*+(?:"[^"]*"|'[^']*'|(?!["'])))*+>"""),
)
"""A whole tag: as Markdown reads it; and as browsers do, to whom a quote without `=` before it is a sign like others."""
_FETCHING = re.compile(
    r"<(?:audio|base|body|embed|feimage|i?frame|image|img|input|link|meta|object|script|source|table|td|th|track|use|video)[\s/]",
    re.IGNORECASE,
)
"""Tags that fetch by other attributes than their styles, and that nobody means by a sign for less."""
_STYLE = re.compile(r"<style\b", re.IGNORECASE)
_STYLE_END = re.compile(r"</style(?=[\s/>])", re.IGNORECASE)
_BY_STYLES = re.compile(r"<(?:a[\s/>]|[a-zA-Z][\w-]*[^\w\s/>-])", re.IGNORECASE)
"""A tag that fetches by its styles alone: a link, and one of a name that no browser knows, as an address in `<>` and code may look."""
_STYLED = re.compile(r"[\s/\"']style\s*=", re.IGNORECASE)
_BASE = re.compile(r"<base\b", re.IGNORECASE)
_PAGE_WITHIN = re.compile(r"<(?:i?frame|object|embed)\b", re.IGNORECASE)
_CARRIED = re.compile(r"\bdata:", re.IGNORECASE)
_CARRIED_PAGE = re.compile(r"\bdata:(?!(?:image|font|audio|video)/)[^\"'<>]*,", re.IGNORECASE)
"""A page or a sheet of styles that is all in its address, where nothing that it fetches can be read; a picture fetches nothing more."""
_STYLE_ESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{1,6})(?:\r\n|[ \t\n\r\f])?|\r\n|[\n\r\f]|(.))")
_PARAGRAPH_END = re.compile(r"\n[ \t]*\n")
_ELSEWHERE = re.compile(r"(?:(?:https?|ftp|file):|[/\\]{2,})[^ \t\n\r\f\"'<>]+", re.IGNORECASE)
"""An address that leads off the page; one of the page's own, and a picture that is all in its address, tell nobody."""
_VALUE = re.compile(r"""=\s*(?:"([^"]*)"|'([^']*)')""")
_SLASHES = re.compile(r"\A((?:https?|ftp):|(?=//))/*", re.IGNORECASE)
"""What stands before a host: a browser takes fewer or more of them, and those that lean the other way, for two."""
_PUBLIC = frozenset(tool for (_, tool), facts in MANIFEST.items() if facts.kind == "public read")
"""Tools whose results stand on the web. Not known here: those of other servers, which count as private."""
_ESCAPE = re.compile(r"\\(?=[!-/:-@\[-`{-~])")


class Answers:
    """What is told of the answers of one conversation, piece by piece."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        """Begin with what happened before.

        Args:
            events: of the conversation, from its beginning on.
        """
        self._taint = Taint()
        self._held = ""
        """Said, and not told: what follows decides what it is."""
        self._is_in_picture = False
        """A picture was begun in this paragraph: the next address may be its own."""
        for event in events:
            self.take(event)

    def take(self, event: Event) -> None:
        """One event of the conversation, whichever turn it is of."""
        self._taint = self._taint.after(event)

    def told(self, text: str) -> str:
        """What can be told now, with the next piece of an answer."""
        origins = self._taint.origins(_is_public)
        if not origins.private:
            return text
        self._held += text
        return self._settled(origins, is_end=False)

    def rest(self) -> str:
        """What is left, where an answer ends or something stands between it and what follows."""
        told = self._settled(self._taint.origins(_is_public), is_end=True)
        self._is_in_picture = False
        return told

    def whole(self, text: str) -> str:
        """A whole answer."""
        return self.told(text) + self.rest()

    def _settled(self, origins: Origins, *, is_end: bool) -> str:
        text, told, at = self._held, "", 0
        while (place := _PLACE.search(text, at)) is not None:
            if place.group()[0] in "!\n":
                self._is_in_picture = place.group() == "!["
                told, at = told + text[at : place.end()], place.end()
                continue
            is_told = self._draws(text, place, origins, is_end=is_end)
            if is_told is None:
                self._held = text[place.start() :]
                return told + text[at : place.start()]
            # Behind the bracket, and before the tag's name: so none is left that could be drawn, and every sign can still be read.
            mark = place.start() + 1
            told, at = told + text[at:mark] + ("\\" if is_told else "") + text[mark : mark + 1], mark + 1
        begun = None if is_end else _BEGUN.search(text, at)
        end = len(text) if begun is None else begun.start()
        self._held = text[end:]
        return told + text[at:end]

    def _draws(self, text: str, place: re.Match[str], origins: Origins, *, is_end: bool) -> bool | None:
        """Whether what stands at a place would be fetched and must not be; None until more has come."""
        if text[place.start()] == "<":
            return _tag_tells(text, place.start(), origins, is_end=is_end)
        if "(" in place.group() and not self._is_in_picture:
            return False
        target = _target_in(text[place.end() : place.end() + LINK_CHARS + 1] + ("\n" if is_end else ""))
        if target is None:
            return True if is_end or len(text) - place.end() > LINK_CHARS else None
        plain = "".join(html.unescape(_ESCAPE.sub("", target)).split())
        # Some end an address at any blank, most only at those of ASCII.
        return _ELSEWHERE.match(plain) is not None and any(_leaks(each, origins) for each in (target, plain, *target.split()[:1]))


def _tag_tells(text: str, start: int, origins: Origins, *, is_end: bool) -> bool | None:
    if _STYLE.match(text, start):
        return _style_tells(text, start, origins, is_end=is_end)
    tag = _tag_in(text, start, is_end=is_end)
    if not tag:
        return None if tag is None else True
    if _BY_STYLES.match(tag) and not _STYLED.search(tag):
        return False
    plain = [tag]
    while (deeper := html.unescape(plain[-1])) != plain[-1]:
        if len(plain) > NESTED:
            return True
        plain.append(deeper)
    # Tabs and line ends within an address are none of it, and an attribute may hold styles.
    readings = [*plain, *(re.sub(r"[\t\n\r]", "", each) for each in plain), *(_STYLE_ESCAPE.sub(_sign_of, each) for each in plain)]
    carried = _CARRIED if _PAGE_WITHIN.match(tag) else _CARRIED_PAGE
    if any(carried.search(reading) for reading in readings):
        return True
    # What follows a base is fetched from it, though no address stands there.
    leaks = _ELSEWHERE.search if _BASE.match(tag) else partial(_leaks, origins=origins)
    return any(leaks(address) for reading in readings for address in _addresses_in(reading))


def _tag_in(text: str, start: int, *, is_end: bool) -> str | None:
    """A tag as far as any program reads it; empty where its end is too far to be told, None until more has come."""
    # No further: a text of which each third sign begins a tag would take minutes.
    limit = start + TAG_CHARS
    ends = [found.end() for each in _TAGS if (found := each.match(text, start, limit)) is not None]
    if len(ends) == len(_TAGS):
        return text[start : max(ends)]
    paragraph = _PARAGRAPH_END.search(text, start, limit)
    if paragraph is not None:
        # It ends here in Markdown, and goes on where the answer is taken for HTML.
        return "" if _FETCHING.match(text, start) else text[start : paragraph.start()]
    if len(text) > limit:
        return ""
    return text[start:] if is_end else None


def _style_tells(text: str, start: int, origins: Origins, *, is_end: bool) -> bool | None:
    """A sheet of styles, which fetches what its rules name: from its tag to the one that closes it."""
    end = _STYLE_END.search(text, start)
    if end is None and not is_end:
        return True if len(text) - start > STYLE_CHARS else None
    sheet = text[start : end.start() if end is not None else len(text)]
    readings = {reading for written in (sheet, html.unescape(sheet)) for reading in (written, _STYLE_ESCAPE.sub(_sign_of, written))}
    if any(_CARRIED_PAGE.search(reading) for reading in readings):
        return True
    return any(_leaks(found.rstrip(")"), origins) for reading in readings for found in _ELSEWHERE.findall(reading))


def _sign_of(escape: re.Match[str]) -> str:
    """What stands for an escape in a sheet of styles."""
    code = int(escape[1] or "0", 16)
    return (chr(code) if code <= 0x10FFFF else "") if escape[1] else escape[2] or ""


def _addresses_in(tag: str) -> Iterator[str]:
    """Each address in a tag: to the next blank, and all of the value in quotes that it begins, which may hold blanks."""
    yield from _ELSEWHERE.findall(tag)
    for double, single in _VALUE.findall(tag):
        value = double or single
        if (found := _ELSEWHERE.search(value)) is not None:
            yield value[found.start() :].strip()


def _leaks(address: str, origins: Origins) -> bool:
    """Whether `fetch_page` would ask about an address, as it is written or as browsers read it."""
    return any(fetch_leak_of(each, origins) for each in (address, _SLASHES.sub(r"\1//", address.replace("\\", "/"))))


def _target_in(text: str) -> str | None:
    """The address that a text begins with, as Markdown reads it; None where its end is not there."""
    is_angled, depth, at = text.startswith("<"), 0, 0
    while at < len(text):
        sign = text[at]
        if sign == "\\":
            at += 2
            continue
        if is_angled and sign in ">\n":
            return text[1:at]
        if not is_angled and (sign in " \t\n\r\v\f" or (sign == ")" and depth == 0)):
            return text[:at]
        depth += (sign == "(") - (sign == ")")
        at += 1
    return None


def _is_public(tool: str) -> bool:
    return tool in _PUBLIC
