"""Signs that are no letters and no digits: whether a text has such as the person did not type, and could tell something by them alone.

Pure. Words are compared with what was read, and these are no words: a name in squared letters, or a code in signs that nobody sees, would
be told without being seen. Writing has signs of its own, and a few of those are no matter.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

SIGNS = 8
"""So many signs of writing beyond ASCII, or signs of any kind in a row, has a question that a person would ask."""

_CANDIDATE = re.compile(r"[^\t\n\r -~]")
_RUN = re.compile(r"[^\w\s](?:\s*[^\w\s])*")
_JOINERS = "\u200c\u200d"
"""Between letters of Persian or Hindi they are spelling."""
_USUAL = frozenset("°©®™´♭♮")
_LETTERS = frozenset("\u0e33\u0eb3\u0edc\u0edd\u0587")
"""Of Thai, Lao and Armenian: usual ones, though they have another form that nobody writes."""
_BETWEEN_SYLLABLES = frozenset("\u0f0b\u0f0c\u1361")
"""What a blank is elsewhere: the tsheg of Tibetan, and the word's end of Ethiopic."""
_IN_ONE = re.compile("[\u2100-\u214f\u3200-\u33ff]")
"""Units and other short words in one sign, as East Asia writes them; elsewhere such are letters in boxes and circles."""
_UNSEEN_LETTERS = frozenset("\u115f\u1160\u3164\uffa0")
_EMOJI_STYLE = "\ufe0f"


class _Sign(NamedTuple):
    char: str
    is_writing: bool


def tells_by_signs(text: str, typed: Iterable[str]) -> bool:
    """Whether a text holds signs that could carry data, beyond those that the person typed.

    1. One that is no part of writing (a picture, a letter in a box, what is not seen at all), or many that are.
    2. Many in a row, of whatever kind.
    """
    typed = tuple(typed)
    left = Counter(_signs(text)) - Counter(sign for each in typed for sign in _signs(each))
    if left.total() > SIGNS or not all(sign.is_writing for sign in left):  # 1
        return True
    runs = [run for found in _RUN.findall(text) if len(run := _close(found)) > SIGNS]
    return any(not any(run in _close(each) for each in typed) for run in runs)  # 2


def _close(text: str) -> str:
    return "".join(text.split())


@lru_cache(maxsize=512)
def _signs(text: str) -> tuple[_Sign, ...]:
    text = unicodedata.normalize("NFC", text)
    return tuple(_signs_at(text, [found.start() for found in _CANDIDATE.finditer(text)]))


def _signs_at(text: str, places: Iterable[int]) -> Iterator[_Sign]:
    for place in places:
        char, kind = text[place], unicodedata.category(text[place])
        if kind[0] in "LN" and char not in _UNSEEN_LETTERS and (char in _LETTERS or unicodedata.normalize("NFKC", char) == char):
            continue
        if (kind[0] == "M" or char in _BETWEEN_SYLLABLES) and _is_of_the_letter_before(text, place):
            continue
        # Whether a picture is meant in colour is said or left out by the same person.
        if char == _EMOJI_STYLE and place and unicodedata.category(text[place - 1]) == "So":
            continue
        yield _Sign(char, _is_writing(char, kind) or (char in _JOINERS and _joins_letters(text, place)))


def _is_writing(char: str, kind: str) -> bool:
    # Letters and digits that come as far as this are other forms of usual ones.
    is_letter = (kind[0] in "LN" and char not in _UNSEEN_LETTERS) or (kind == "So" and _is_made_of_letters(char))
    return is_letter or kind[0] in "PZ" or kind in {"Sc", "Sm"} or char in _USUAL or (kind == "Mn" and "\u0300" <= char < "\u034f")


def _is_made_of_letters(char: str) -> bool:
    """Whether a sign is a short word in one (`㎏`, `㈱`, `℃`, `№`), which is compared as that word."""
    usual = unicodedata.normalize("NFKC", char)
    return _IN_ONE.match(char) is not None and usual != char and any(each.isalnum() for each in usual)


def _is_of_the_letter_before(text: str, place: int) -> bool:
    """Whether a mark belongs to the script of its letter, as vowels of Hindi, Thai and Arabic do, and what stands between syllables."""
    before = text[max(0, place - SIGNS) : place]
    letter = next((char for char in reversed(before) if unicodedata.category(char)[0] != "M"), " ")
    return unicodedata.category(letter)[0] == "L" and _script_of(letter) == _script_of(text[place])


def _script_of(char: str) -> str:
    return unicodedata.name(char, "").partition(" ")[0]


def _joins_letters(text: str, place: int) -> bool:
    around = (text[place - 1 : place], text[place + 1 : place + 2])
    return all(each and not each.isascii() and unicodedata.category(each)[0] in "LM" for each in around)
