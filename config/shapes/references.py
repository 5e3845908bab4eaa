"""Names that point at names: whether every reference in a settings file has a target, and every name one owner.

It works on names alone, so that the schema can use it without the two knowing each other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from config.vocabulary import Problem


class Reference(NamedTuple):
    """One place in a file that names something defined in another place."""

    key: str
    target: str
    sections: tuple[str, ...]
    """Where the target may be defined."""


def reference_problems(names: Mapping[str, Collection[str]], references: Iterable[Reference]) -> Iterator[Problem]:
    """What is wrong among names: references without a target first, then names that two sections define.

    Args:
        names: the names that each section defines, in the order of precedence.
        references: what must exist.
    """
    for key, target, sections in references:
        allowed = sorted(name for section in sections for name in names[section])
        if target not in allowed:
            yield Problem(key, f'"{target}"', f"one of {', '.join(allowed)}")
    owners: dict[str, str] = {}
    for section, owned in names.items():
        for name in owned:
            if name in owners:
                yield Problem(f"{section}.{name}", f'the name "{name}", which is already in [{owners[name]}]', "a name of its own")
            owners.setdefault(name, section)
