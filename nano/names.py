"""Made-up words and names: an open supply, mixed with banks of real ones, so that no filling can be learned by heart."""

from __future__ import annotations

import random
import string

from nano.grammar import lines

_ONSETS = (
    "b",
    "bl",
    "br",
    "c",
    "ch",
    "cl",
    "cr",
    "d",
    "dr",
    "f",
    "fl",
    "fr",
    "g",
    "gl",
    "gr",
    "h",
    "j",
    "k",
    "kl",
    "kr",
    "l",
    "m",
    "n",
    "p",
    "pr",
    "ph",
    "qu",
    "r",
    "rh",
    "s",
    "sh",
    "sk",
    "sl",
    "sp",
    "st",
    "str",
    "t",
    "th",
    "tr",
    "v",
    "w",
    "x",
    "y",
    "z",
    "",
)
_VOWELS = (
    "a",
    "e",
    "i",
    "o",
    "u",
    "ai",
    "ea",
    "ee",
    "ia",
    "ie",
    "io",
    "oa",
    "oo",
    "ou",
    "y",
    "a",
    "e",
    "i",
    "o",
    "u",
    "ö",
    "ü",
    "é",
    "á",
    "ø",
)
_CODAS = (
    "",
    "",
    "",
    "b",
    "ck",
    "d",
    "f",
    "g",
    "k",
    "l",
    "ll",
    "m",
    "n",
    "nd",
    "ng",
    "nn",
    "p",
    "r",
    "rt",
    "s",
    "ss",
    "st",
    "t",
    "th",
    "v",
    "x",
    "z",
    "w",
)
_TLDS = ("com", "org", "net", "de", "io", "co.uk", "fr", "eu", "dev", "example", "at", "se", "nl")


class Plain(random.Random):
    """A source of chance whose fillings are mostly real words and names, as people's are: for the end of training."""


INVENTED = 0.3
"""How much of what is made up elsewhere is made up with a plain source too."""


def real(rng: random.Random, share: float) -> float:
    """How often a filling is a real one, where an open source has it that often."""
    return 1 - (1 - share) * INVENTED if isinstance(rng, Plain) else share


def made_up(rng: random.Random, syllables: int | None = None) -> str:
    """A pronounceable word that nobody has used."""
    n = syllables or rng.choice((1, 1, 2, 2, 2, 2, 2, 3, 3))
    return "".join(rng.choice(_ONSETS) + rng.choice(_VOWELS if rng.random() < 0.35 else _VOWELS[:5]) + rng.choice(_CODAS) for _ in range(n))


def first_name(rng: random.Random) -> str:
    return rng.choice(lines("fill_first_name")) if rng.random() < real(rng, 0.55) else made_up(rng).capitalize()


def last_name(rng: random.Random) -> str:
    if rng.random() < real(rng, 0.5):
        return rng.choice(lines("fill_last_name"))
    name = made_up(rng).capitalize()
    return (
        name
        if rng.random() < 0.85
        else rng.choice((f"{name}-{made_up(rng).capitalize()}", f"O'{name}", f"van {name}", f"de {name}", f"Mc{name}"))
    )


def full_name(rng: random.Random) -> str:
    return f"{first_name(rng)} {last_name(rng)}"


def person(rng: random.Random) -> str:
    """How a request names someone."""
    r = rng.random()
    if r < 0.62:
        return first_name(rng)
    if r < 0.85:
        return full_name(rng)
    if r < 0.93:
        return rng.choice(("Mr ", "Ms ", "Mrs ", "Dr ", "Dr. ", "Prof. ", "aunt ", "uncle ", "Herr ", "Frau ")) + (
            last_name(rng) if rng.random() < 0.7 else first_name(rng)
        )
    return rng.choice(
        (
            "mum",
            "dad",
            "my boss",
            "the landlord",
            "the bank",
            "my sister",
            "HR",
            "accounting",
            "the school",
            "my brother",
            "the team",
            "grandma",
            "my manager",
            "the dentist",
            "Amazon",
            company(rng),
            company(rng),
            company(rng),
        )
    )


def company(rng: random.Random) -> str:
    return (
        rng.choice(lines("fill_company"))
        if rng.random() < real(rng, 0.5)
        else made_up(rng).capitalize() + rng.choice(("", "", " Ltd", " GmbH", " Labs", " Inc", " Systems", " & Co"))
    )


def address(rng: random.Random) -> str:
    local = rng.choice(
        (
            lambda: _label(rng),
            lambda: f"{_label(rng)}.{_label(rng)}",
            lambda: f"{_label(rng, 1)}{rng.randint(1, 99)}",
            lambda: f"{rng.choice(string.ascii_lowercase)}.{_label(rng)}",
            lambda: first_name(rng).lower().replace(" ", ""),
            lambda: f"{_label(rng)}_{_label(rng, 1)}",
            lambda: rng.choice(("info", "office", "hello", "support", "team", "sales")),
        )
    )()
    host = _label(rng) + (f"-{made_up(rng, 1)}" if rng.random() < 0.15 else "")
    ascii_only = "".join(c for c in f"{local}@{host}" if c.isascii() and c not in "' ")
    return f"{ascii_only}.{rng.choice(_TLDS)}"


def _label(rng: random.Random, syllables: int | None = None) -> str:
    """A part of an address."""
    if isinstance(rng, Plain) and rng.random() < real(rng, 0.0):
        return rng.choice(lines(rng.choice(("fill_first_name", "fill_last_name", "fill_word")))).lower().replace(" ", "")
    return made_up(rng, syllables)


def word(rng: random.Random) -> str:
    return rng.choice(lines("fill_word")) if rng.random() < real(rng, 0.6) else made_up(rng)


def city(rng: random.Random) -> str:
    return rng.choice(lines("fill_city")) if rng.random() < real(rng, 0.6) else made_up(rng).capitalize()


def number(rng: random.Random) -> str:
    return str(rng.choice((rng.randint(1, 12), rng.randint(10, 99), rng.randint(100, 9999))))
