"""Whether the person dictated a call: in the message that this turn answers stand the act, whom it reaches, and every word of it.

Pure. A session that has read outside text asks before it sends, since an outsider may speak through the model. Of a call that holds
nothing but the person's own words, to people whom the same message names, an outsider can have chosen nothing that matters: it would
ask a person to read what they have just written. What is left open is refused that name: an argument without a role, a word that was not
typed, an address that only a server knows.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from agent.safety.provenance import addresses_in, plain

Role = Literal["people", "words", "time", "end", "choice", "thing"]
"""What an argument is: whom it reaches; text; when it begins; when it ends, on a day that was named; one of a few words that the tool's
schema names; something of the person's own that is changed, by a reference which the dry run spells out."""
SAID_CHARS = 1000
"""A longer message has text of others pasted into it."""
CHOICE_CHARS = 8
"""The schema was checked before; this is to see that it is no text."""
TITLE, BEFORE = "Title", "Was"
"""Labels of a dry run's lines: what a thing is called, and what it was called, with more behind a comma."""

_TIME = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(?::00)?)?(?:Z|[+-]\d{2}:?\d{2})?")
_BETWEEN_PEOPLE = re.compile(r"[\s,;<>]*")


@dataclass(frozen=True)
class Dictation:
    """How a call of one tool looks when a person dictates it."""

    acts: tuple[str, ...]
    """Words that ask for it; one of them must be in the message, as a word."""
    roles: tuple[tuple[str, Role], ...]
    """Every argument that such a call may have."""


Lines = tuple[tuple[str, str], ...]


def is_dictated(
    how: Dictation, said: str, made: Mapping[str, Any], *, values: Iterable[str], lines: Lines, has_written: bool = False
) -> bool:
    """Whether a message holds a whole call.

    1. The message asks for such an act, and is short enough to be the person's own.
    2. Each argument has a role, and is what that role wants.
    3. It reaches everybody whose address stands in the message, and nobody else: which of several is meant is no matter of words.

    Args:
        how: of the tool.
        said: what the person typed for this turn.
        made: the arguments as the model made them.
        values: every text of what would happen, as the server prepared it.
        lines: what the server's dry run shows of it; none where there is no dry run.
        has_written: what is stored may hold what an outsider wants said.
    """
    if len(said) > SAID_CHARS or not any(f" {act} " in plain(said) for act in how.acts):  # 1
        return False
    roles = dict(how.roles)
    is_thing = _is_named(lines, said, has_written=has_written)
    given = {name: value for name, value in made.items() if value not in (None, "", [])}
    if not given or not all(name in roles and _fits(roles[name], value, said, is_thing=is_thing) for name, value in given.items()):  # 2
        return False
    reached = {address for value in values for address in addresses_in(value)}
    return not reached or reached == set(addresses_in(said))  # 3


def _fits(role: Role, value: Any, said: str, *, is_thing: bool) -> bool:
    if isinstance(value, list):
        each = cast("list[Any]", value)
        return role == "people" and all(isinstance(one, str) and _are_people(one, said) for one in each)
    if not isinstance(value, str):
        return False
    if role == "people":
        return _are_people(value, said)
    if role == "thing":
        return is_thing
    if role == "choice":
        return len(value) <= CHOICE_CHARS
    if role == "words":
        return _is_said(value, said) and _is_whole(value, said)
    return _is_said(value, said) or _is_time(value, said, is_end=role == "end")


def _are_people(value: str, said: str) -> bool:
    people = addresses_in(value)
    if not people or not set(people) <= set(addresses_in(said)):
        return False
    rest = value.casefold()
    for address in people:
        rest = rest.replace(address, "")
    return _BETWEEN_PEOPLE.fullmatch(rest) is not None


def _is_named(lines: Lines, said: str, *, has_written: bool) -> bool:
    """Whether a thing may be changed so on the message's word.

    1. There was no dry run: nobody knows what it is.
    2. Nobody is told: a change to what is the person's alone leaves no house, and can be changed back.
    3. Else the message calls it by its whole title, which it keeps, and nothing was stored since outside text was read.
    """
    if not lines:  # 1
        return False
    if not any(addresses_in(value) for _, value in lines):  # 2
        return True
    titles = [value for label, value in lines if label == TITLE]
    if has_written or len(titles) != 1 or not _is_said(titles[0], said):  # 3
        return False
    return all(value.startswith(f"{titles[0]},") for label, value in lines if label == BEFORE)


def _is_said(value: str, said: str) -> bool:
    """Whether it stands in the message, sign by sign: what cannot be seen would carry data."""
    words = plain(value)
    return bool(words.strip()) and words in plain(said) and _even(value) in _even(said)


def _is_whole(value: str, said: str) -> bool:
    """Whether it is all of what is quoted, or of what the message ends with behind a colon: a part of a sentence can say the opposite."""
    text = re.escape(_even(value))
    return re.search(rf"""["“„«‘'‚]{text}["”“»’'‘]|: ?{text}[.!?"”'’]*$""", _even(said)) is not None


def _is_time(value: str, said: str, *, is_end: bool) -> bool:
    found = _TIME.fullmatch(value)
    if found is None or not _stands(found[1], said):
        return False
    return is_end or found[2] is None or _stands(found[2], said)


def _stands(digits: str, said: str) -> bool:
    return re.search(rf"(?<![\w:-]){re.escape(digits)}(?![\w:-])", said) is not None


def _even(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
