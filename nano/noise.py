"""The untidiness of typing: case, typos and missing or added punctuation, applied to a request and its fillings alike."""

from __future__ import annotations

import random

from nano.grammar import Piece
from nano.names import real

_NEAR = {
    "a": "sq",
    "b": "vn",
    "c": "xv",
    "d": "sf",
    "e": "wr",
    "f": "dg",
    "g": "fh",
    "h": "gj",
    "i": "uo",
    "j": "hk",
    "k": "jl",
    "l": "k",
    "m": "n",
    "n": "bm",
    "o": "ip",
    "p": "o",
    "q": "wa",
    "r": "et",
    "s": "ad",
    "t": "ry",
    "u": "yi",
    "v": "cb",
    "w": "qe",
    "x": "zc",
    "y": "tu",
    "z": "x",
}
_CONTRACTIONS = (
    ("what's", "whats"),
    ("i'm", "im"),
    ("don't", "dont"),
    ("can't", "cant"),
    ("i've", "ive"),
    ("it's", "its"),
    ("when's", "whens"),
    ("where's", "wheres"),
    ("i'll", "ill"),
    ("let's", "lets"),
    ("that's", "thats"),
    ("won't", "wont"),
)


def _typo(word: str, rng: random.Random) -> str:
    if len(word) < 4 or not word.isalpha():
        return word
    i = rng.randrange(1, len(word) - 1)
    kind = rng.random()
    if kind < 0.35:
        return word[:i] + word[i + 1] + word[i] + word[i + 2 :]
    if kind < 0.6:
        return word[:i] + word[i + 1 :]
    if kind < 0.8:
        return word[:i] + word[i] + word[i:]
    near = _NEAR.get(word[i].lower())
    return word[:i] + rng.choice(near) + word[i + 1 :] if near else word


def _with_typos(text: str, rng: random.Random, rate: float) -> str:
    return " ".join(_typo(w, rng) if rng.random() < rate else w for w in text.split(" "))


def _title_days(text: str) -> str:
    names = {
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
        "january",
        "february",
        "march",
        "april",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
        "mon",
        "tue",
        "wed",
        "thu",
        "fri",
        "sat",
        "sun",
    }
    return " ".join(w.capitalize() if w.strip(",.?!'s").lower() in names or w.lower() in names else w for w in text.split(" "))


_TIME_SLOTS = frozenset({"when", "day", "time", "period", "now_day", "new_when", "new_day", "new_time", "past"})


def type_out(pieces: list[Piece], rng: random.Random) -> list[Piece]:
    """How someone would type it. Fillings change with the rest, so an argument is always copied from what was typed."""
    style = rng.random()
    out = list(pieces)
    if style < 0.30:  # everything in lower case
        out = [Piece(p.text.lower(), p.slot) for p in out]
    elif style < 0.78:  # tidy: days capitalised, first letter capital
        out = [Piece(_title_days(p.text) if p.slot in _TIME_SLOTS or p.slot is None else p.text, p.slot) for p in out]
        out = _capital_first(out)
    elif style < 0.93:  # only the first letter
        out = _capital_first(out)
    elif style < real(rng, 0.955):
        out = [Piece(p.text.upper(), p.slot) for p in out]
    if rng.random() < 0.3:
        for good, bad in _CONTRACTIONS:
            out = [p if p.slot else Piece(p.text.replace(good, bad), None) for p in out]
    if rng.random() < 1 - real(rng, 0.84):
        out = [Piece(_with_typos(p.text, rng, 0.02 if p.slot in _TIME_SLOTS else 0.05 if p.slot else 0.14), p.slot) for p in out]
    return _ending(out, rng)


def _capital_first(pieces: list[Piece]) -> list[Piece]:
    for i, p in enumerate(pieces):
        if p.text.strip():
            text = p.text.lstrip()
            if p.slot is None or i == 0:
                pieces = [*pieces[:i], Piece(p.text[: len(p.text) - len(text)] + text[:1].upper() + text[1:], p.slot), *pieces[i + 1 :]]
            break
    return [p if p.slot else Piece(_capital_i(p.text), None) for p in pieces]


def _capital_i(text: str) -> str:
    words = text.split(" ")
    return " ".join("I" + w[1:] if w == "i" or w.startswith(("i'", "i,")) else w for w in words)


def _ending(pieces: list[Piece], rng: random.Random) -> list[Piece]:
    last = pieces[-1].text if pieces else ""
    r = rng.random()
    if last.endswith("?"):
        return [*pieces[:-1], Piece(last[:-1], pieces[-1].slot)] if r < 0.3 else pieces
    if last.endswith((".", "!", ":")):
        return pieces
    if r < 0.28:
        return [*pieces, Piece(".")]
    return [*pieces, Piece("!")] if r < 0.31 else pieces
