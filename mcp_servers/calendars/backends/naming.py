"""Names for the calendars of one account, of which no two are the same to a person.

Pure. Servers let calendars share a name. Each of those gets a mark of its own, the first one too: else the one that is listed first today
would have the bare name, and another one tomorrow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import count


def told_apart(named: Sequence[tuple[str, str]]) -> list[str]:
    """A name for each, in the same order.

    Args:
        named: what each is called, and what tells it from others of that name.
    """
    shared = Counter(name.casefold() for name, _ in named)
    marked = [name if shared[name.casefold()] == 1 else f"{name} ({mark})" for name, mark in named]
    names: list[str] = []
    for name in marked:
        free = (f"{name} {number}" for number in count(2))
        names.append(name if name not in names else next(each for each in free if each not in names))
    return names
