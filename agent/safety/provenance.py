"""Where the words of a call come from: what the person typed, what results brought, and what of it a call would carry out of the house.

Pure, and without any model: words are compared, so an injected text cannot argue with it. A value that shares enough with what a result
brought counts as coming from there, wherever the model says that it has it from.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import unquote

from agent.safety.echoes import ECHO_WORDS, longest_row, pieces_of, repeats, spaced, worded
from agent.safety.links import LINK_CHARS, is_link, lowered, names_host, parts_of, readings_of, stands_in
from agent.safety.signs import tells_by_signs

QUERY_CHARS = 256
"""What a person would look for is shorter."""
SECRET_CHARS, CODE_CHARS, NUMBER_CHARS = 24, 16, 5
"""A word of so many characters carries data, of letters and digits mixed so many; a number of fewer digits is a year or a price."""
LINK_DATA_CHARS = 64
"""What a page's own address needs behind its `?` or `#`."""

_WORD = re.compile(r"\w+")
_RUN = re.compile(r"[^\s<>()\[\],;:\"'|\\]+")
"""Of signs that may stand in a mail address."""


class Brought(NamedTuple):
    """What one result brought in."""

    tool: str
    text: str
    asked: str = ""
    """Canonical JSON of the arguments that brought it: what it says of their texts was said by the session itself."""
    is_picture: bool = False
    """It holds a picture, whose words cannot be compared with anything."""


class Origins(NamedTuple):
    """Everything that a session has heard, by who could have written it."""

    typed: tuple[str, ...] = ()
    """By the person."""
    private: tuple[Brought, ...] = ()
    """By anyone, and for the person alone: mails, events, files."""
    public: tuple[Brought, ...] = ()
    """By anyone, for anyone: the web."""


@lru_cache(maxsize=512)
def plain(text: str) -> str:
    """Its words alone, in one case and one form, each between spaces."""
    return f" {' '.join(_WORD.findall(unicodedata.normalize('NFKC', text).casefold()))} "


@lru_cache(maxsize=512)
def addresses_in(text: str) -> tuple[str, ...]:
    """The mail addresses in a text, in one case, each once; one of another alphabet is not made the same as a Latin one."""
    found = filter(None, (_address_in(run) for run in _RUN.findall(text) if "@" in run))
    return tuple(dict.fromkeys(address.casefold().rstrip(".") for address in found))


def _address_in(run: str) -> str:
    """The mail address that a run of signs begins with, up to the end of its last domain; empty where there is none.

    Split by hand: an expression would begin anew at every sign of a long run, and the texts are an outsider's.
    """
    parts = run.split("@")
    for last in range(len(parts) - 1, 0, -1):
        domain = _domain_in(parts[last])
        if domain and (last > 1 or parts[0]):
            return "@".join((*parts[:last], domain))
    return ""


def _domain_in(part: str) -> str:
    """What of a part can be a domain: a dot in it, and two signs or more behind the last one that counts."""
    labels = part.split(".")
    for last in range(len(labels) - 1, 0, -1):
        if len(labels[last]) > 1 and (last > 1 or labels[0]):
            return ".".join(labels[: last + 1])
    return ""


@lru_cache(maxsize=512)
def _folded(text: str) -> str:
    return text.casefold()


def leak_of(value: str, origins: Origins) -> str:
    """Why a value must not be told to the web unasked, in words for the person; empty when it may.

    1. Nothing private was read, or the person typed just that: it may.
    2. An address of a page: see `_link_leak`.
    3. Else what its words give away: see `_secret_in`; addresses among them are looked at as such.
    """
    if not origins.private or _is_typed(value, origins):  # 1
        return ""
    if is_link(value.strip()):  # 2
        return _link_leak(value.strip(), origins)
    links = (_link_leak(word, origins) for word in value.split() if "://" in word)
    return _secret_in(value, origins) or next(filter(None, links), "")  # 3


def fetch_leak_of(address: str, origins: Origins) -> str:
    """As `leak_of`, for what is opened as the address of a page: it is one whatever it looks like.

    The words that the person typed do not make an address that they typed: "Show me" is none, and `show.me` is a host.
    """
    return _link_leak(address.strip(), origins) if origins.private else ""


def strangers(values: Iterable[str], origins: Origins) -> tuple[str, ...]:
    """Mail addresses in what will happen that the person did not type."""
    typed = {address for text in origins.typed for address in addresses_in(text)}
    return tuple(dict.fromkeys(address for value in values for address in addresses_in(value) if address not in typed))


def cautions(values: Iterable[str], origins: Origins) -> tuple[tuple[str, str], ...]:
    """What a person should know of a call before saying yes, as more lines: whom they did not name, and letters that look like others."""
    lines: list[tuple[str, str]] = []
    for address in strangers(values, origins):
        source = _source_of(address, origins)
        lines.append(
            ("Careful", f"you did not type {address}; {f'it stands in what {source} brought' if source else 'nor did anything say it'}")
        )
        if not address.isascii() or "xn--" in address:
            spelled = address.encode("ascii", "backslashreplace").decode()
            lines.append(("Careful", f"an address with letters that may look like others: {spelled}"))
    return tuple(lines)


def texts_of(arguments: str) -> tuple[str, ...]:
    """Every text in a call's arguments.

    Args:
        arguments: a JSON object.
    """
    return tuple(_texts(json.loads(arguments)))


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():  # pyright: ignore[reportUnknownVariableType]
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:  # pyright: ignore[reportUnknownVariableType]
            yield from _texts(each)


def _is_typed(value: str, origins: Origins) -> bool:
    words = worded(value)
    return any(words in worded(text) for text in origins.typed) and not tells_by_signs(value, origins.typed)


def _source_of(value: str, origins: Origins) -> str:
    sought = value.casefold()
    return next(
        (each.tool for each in (*origins.private, *origins.public) if sought in _folded(each.text) or sought in lowered(each.text)), ""
    )


def _link_leak(link: str, origins: Origins) -> str:
    """Why an address must not be fetched unasked.

    1. The person typed it, or it stands on the web, sign by sign: it may be.
    2. Neither the person nor the web named its host: it is asked about. What the session asked the web for is not named by the answer.
    3. What follows the host is long, or gives something away: it is asked about.
    """
    if len(link) > LINK_CHARS:
        return f"it is longer than {LINK_CHARS} characters"
    sought = lowered(link)
    if any(stands_in(sought, lowered(text)) for text in origins.typed) or any(_holds(each, link) for each in origins.public):  # 1
        return ""
    parts = parts_of(link)
    if parts is None:
        return "nobody can say which address it is"
    host = lowered(parts.hostname or "")
    if not any(names_host(text, host) for text in origins.typed) and not any(_names(each, host) for each in origins.public):  # 2
        source = _source_of(host, origins)
        return f"the address {host} stands only in what {source} brought" if source else f"you did not name the address {host}"
    if len(parts.query) + len(parts.fragment) > LINK_DATA_CHARS:  # 3
        return f"the address of {host} carries more than a page's address needs"
    return _secret_in(unquote(f"{parts.username or ''} {parts.path} {parts.query} {parts.fragment}").replace("+", " "), origins)


def _holds(each: Brought, link: str) -> bool:
    """Whether a text has an address, and not because it was asked for."""
    # Sign by sign, capitals too: they could carry data to a host that the web named.
    bare = lowered(link).removeprefix("https:").removeprefix("http:").removeprefix("//")
    return stands_in(link, each.text) and not any(bare in reading for reading in _asked_in(each.asked))


def _names(each: Brought, host: str) -> bool:
    """Whether a text names a host, and not because it was asked for."""
    return names_host(each.text, host) and not any(names_host(reading, host) for reading in _asked_in(each.asked))


@lru_cache(maxsize=512)
def _asked_in(arguments: str) -> tuple[str, ...]:
    return tuple(reading for text in texts_of(arguments) for reading in readings_of(text)) if arguments else ()


def _secret_in(text: str, origins: Origins) -> str:
    """What a text would give away, if anything.

    1. It is longer than a question.
    2. An address that the person did not type.
    3. A long word or a code that the person did not type, read somewhere or not: it may be what was read in another form.
    4. Signs that are no words, and that the person did not type: see `agent.safety.signs`.
    5. A number that was read and not typed.
    6. Words in a row that were read and not typed: see `agent.safety.echoes`.
    7. A picture was read: any number, or words in a row, that neither the person nor the web said may stand in it.
    """
    if len(text) > QUERY_CHARS:  # 1
        return f"it is longer than {QUERY_CHARS} characters"
    unknown = strangers([text], origins)
    if unknown:  # 2
        return f"it tells the address {unknown[0]}"
    typed = "".join(worded(each) for each in origins.typed)
    words = [word for word in pieces_of(text) if spaced(word) not in typed]
    if any(_is_code(word) for word in words):  # 3
        return "it holds a code that you did not type"
    if tells_by_signs(text, origins.typed):  # 4
        return "it holds signs that you did not type"
    numbers = [word for word in words if len(word) >= NUMBER_CHARS and any(char.isdigit() for char in word)]
    source = next((each.tool for word in numbers for each in origins.private if spaced(word) in worded(each.text)), "")
    if source:  # 5
        return f"it tells a number that {source} brought"
    source = next((each.tool for each in origins.private if repeats(text, each.text, typed)), "")  # 6
    return f"it repeats what {source} brought" if source else _seen_in(text, numbers, origins, typed)  # 7


def _is_code(word: str) -> bool:
    is_mixed = any(char.isdigit() for char in word) and any(char.isalpha() for char in word)
    return len(word) >= SECRET_CHARS or (is_mixed and len(word) >= CODE_CHARS)


def _seen_in(text: str, numbers: list[str], origins: Origins, typed: str) -> str:
    picture = next((each.tool for each in origins.private if each.is_picture), "")
    if not picture:
        return ""
    said = typed + "".join(worded(each.text) for each in origins.public)
    if any(spaced(word) not in said for word in numbers):
        return f"it tells a number that may stand in {picture}"
    return f"it may repeat what stands in {picture}" if longest_row(text, said) >= ECHO_WORDS else ""
