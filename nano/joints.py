"""The small words before a filling that are no part of an argument: `on` before dates, and what another filling makes of them."""

from __future__ import annotations

import random
import re

from nano import times
from nano.grammar import Piece

DAY_SLOTS = frozenset({"when", "day", "now_day", "new_when", "new_day", "period"})
_DAY_WORDS = {*times.WEEKDAYS, "mon", "tue", "tues", "wed", "weds", "thu", "thurs", "fri", "sat", "sun"}
_BEFORE_ON = re.compile(
    r"(^|calendar|diary|agenda|schedule|it|event|appointment|entry|me|up|i'm|is|in|down|free|busy|available|time|anything)\s+$",
    re.IGNORECASE,
)
"""Words after which people say `on` before a weekday or a date; after a filling they do so too."""
_AFTER_WORD = re.compile(r"\b(for|of|about|does|is|are|at|through|see|show|list|me|check|like|how's|and|so|from|to|did)\s+$", re.IGNORECASE)
"""Words that a period follows without a preposition of its own."""
_ENDS_IN_ON = re.compile(r"\bon\s+$", re.IGNORECASE)
_ENDS_IN_PREPOSITION = re.compile(r"\b(on|at|to|for|from|in|until|till|til|by|around|about|over)\s+$|@ ?$", re.IGNORECASE)
_OWN_PREPOSITION = re.compile(r"^(on|at|from|over|in(?! \d| a| half| the next| the morning| \w+ (hour|day|week|minute)))\s+", re.IGNORECASE)
_ARTICLE = re.compile(r"^(a|an|the|my|our)\s+", re.IGNORECASE)
_ENDS_IN_ARTICLE = re.compile(r"\b(a|an|the|my|our|his|her|their|this|that|your)\s+$", re.IGNORECASE)
_TIMES = DAY_SLOTS | {"time", "new_time", "past"}


def with_on(pieces: list[Piece], rng: random.Random) -> list[Piece]:
    """`on` before weekdays and dates, where people say it; written fillings stand as they are written."""
    out: list[Piece] = []
    for p in pieces:
        before = out[-1] if out else Piece("")
        if p.is_written:
            out.append(p)
            continue
        if p.slot == "period" and before.slot is None and _AFTER_WORD.search(before.text):
            p = Piece(re.sub(r"^(on|in|at|over|from)\s+(?!the next|a |an )", "", p.text), "period")
        follows_filling = before.slot is None and before.text == " " and len(out) > 1
        if p.slot in DAY_SLOTS and is_dated(p.text) and (follows_filling or _BEFORE_ON.search(before.text)) and rng.random() < 0.75:
            out.append(Piece("on "))
        out.append(p)
    return out


def exchanged(before: Piece, old: Piece, text: str) -> tuple[Piece, str]:
    """What stands before a written filling, and the filling that takes its place, made to fit each other.

    `on` was written for the old date only; and a preposition or an article stands once.
    """
    if before.slot is not None:
        return before, text
    if old.slot == "body":
        return before, text
    if old.slot not in _TIMES:
        return before, _ARTICLE.sub("", text) if _ENDS_IN_ARTICLE.search(before.text) else text
    if _ENDS_IN_PREPOSITION.search(before.text):
        text = _OWN_PREPOSITION.sub("", text)
    if _ENDS_IN_ON.search(before.text) and is_dated(old.text) and not is_dated(text):
        before = Piece(_ENDS_IN_ON.sub("", before.text))
    return before, text


def is_dated(text: str) -> bool:
    """Whether it begins with a weekday or a date."""
    words = text.lower().replace(",", "").split()
    if not words:
        return False
    if words[0] in _DAY_WORDS:
        return True
    months = {*times.MONTHS, *(m[:3] for m in times.MONTHS)}
    return (
        words[0] in months
        or (words[0] == "the" and len(words) > 1 and words[1][0].isdigit())
        or (words[0][0].isdigit() and len(words) > 1 and words[1] in months)
    )
