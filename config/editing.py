"""Change or drop one value in a settings file's text and nothing else: comments, order and line ends stay as the person wrote them.

Pure: text in, text out. What came out is read again and compared, so a form that this does not know is refused and never damaged.
"""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

from config.vocabulary import is_table

_TABLE = re.compile(r"\s*\[")
_TEXT = r"""("(?:[^"\\]|\\.)*"|'[^']*')"""


class EditRefused(Exception):
    """The text is written in a way that only its author can change; the message says what to write."""


def set_text(text: str, section: str, key: str, value: str) -> str:
    """The text with `value` at `section.key`; the same where that stands there already, in whatever form.

    1. A line of that key in its section gets the new value, its comment stays.
    2. A section without it gets the line below its head.
    3. A file without the section gets both at its end.

    Args:
        text: TOML.
        section: a top-level table's name.
        key: in it.
        value: the new text.

    Raises:
        EditRefused: the text is no TOML, or the value is written in another form (a dotted key, an inline table, a text of many lines).
    """
    if _stands(text, section, key, value):
        return text
    line_end = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    new = f"{key} = {json.dumps(value, ensure_ascii=False)}{line_end}"
    head = _head(lines, section)
    if head is None:  # 3.
        gap = "" if not text else line_end if text.endswith("\n") else 2 * line_end
        return _checked(text, f"{text}{gap}[{section}]{line_end}{new}", section, key, value)
    for at in _body(lines, head):  # 1.
        if found := _value_of(key, lines[at]):
            lines[at] = f"{found[1]}{json.dumps(value, ensure_ascii=False)}{found[3]}"
            return _checked(text, "".join(lines), section, key, value)
    if not lines[head].endswith("\n"):
        lines[head] += line_end
    lines.insert(head + 1, new)  # 2.
    return _checked(text, "".join(lines), section, key, value)


def drop_text(text: str, section: str, key: str) -> str:
    """The text without the line of `section.key`; the same where there is none.

    Raises:
        EditRefused: the text is no TOML, or the value is written in another form, as for `set_text`.
    """
    lines = text.splitlines(keepends=True)
    head = _head(lines, section)
    at = next((at for at in (_body(lines, head) if head is not None else ()) if _value_of(key, lines[at])), None)
    after = text if at is None else "".join([*lines[:at], *lines[at + 1 :]])
    return _checked(text, after, section, key, None)


def _stands(text: str, section: str, key: str, value: str) -> bool:
    try:
        table = tomllib.loads(text).get(section)
    except tomllib.TOMLDecodeError:
        return False  # Which the attempt to change it tells.
    return is_table(table) and table.get(key) == value


def _head(lines: list[str], section: str) -> int | None:
    return next((at for at, line in enumerate(lines) if re.match(rf"\s*\[\s*{re.escape(section)}\s*\]\s*(#.*)?$", line)), None)


def _body(lines: list[str], head: int) -> range:
    return range(head + 1, next((at for at in range(head + 1, len(lines)) if _TABLE.match(lines[at])), len(lines)))


def _value_of(key: str, line: str) -> re.Match[str] | None:
    return re.match(rf"(\s*{re.escape(key)}\s*=\s*){_TEXT}(.*)$", line, re.S)


def _checked(before: str, after: str, section: str, key: str, value: str | None) -> str:
    told = f"{key} = {json.dumps(value)} under [{section}]" if value is not None else f"no {key} under [{section}]"
    remedy = f"Write it yourself: {told}."
    try:
        wanted: dict[str, Any] = tomllib.loads(before)
        got = tomllib.loads(after)
    except tomllib.TOMLDecodeError as error:
        raise EditRefused(f"The settings cannot be changed safely ({error}). {remedy}") from error
    table = wanted.get(section)
    others = {name: each for name, each in (table if is_table(table) else {}).items() if name != key}
    if value is not None or section in wanted:
        wanted[section] = others if value is None else {**others, key: value}
    if got != wanted:
        raise EditRefused(f"The settings cannot be changed safely. {remedy}")
    return after
