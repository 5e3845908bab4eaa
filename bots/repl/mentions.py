"""What a message mentions after an @: a file, or the output of the last `!command`. Names of people and addresses are neither."""

from __future__ import annotations

import re
from typing import NamedTuple

OUTPUT = "!"
"""`@!` is the output of the last command."""
_MENTION = re.compile(r'(?:^|(?<=\s))@(?:"([^"\n]+)"|(\S+))')
_TRAILING = ",.;:!?)]}'\""
"""What ends a sentence and not a name."""


class Mention(NamedTuple):
    """One mention."""

    name: str
    """A path as typed, or `!`."""
    shorter: str
    """The same without what may end the sentence; used where there is no file of the whole name."""


def mentions_of(text: str) -> list[Mention]:
    """Everything that is mentioned, each once, in order."""
    found: dict[str, Mention] = {}
    for match in _MENTION.finditer(text):
        quoted, bare = match[1], match[2]
        if quoted is not None:
            found.setdefault(quoted, Mention(quoted, quoted))
        elif bare.startswith(OUTPUT) and not bare[1:].strip(_TRAILING):
            found.setdefault(OUTPUT, Mention(OUTPUT, OUTPUT))
        else:
            found.setdefault(bare, Mention(bare, bare.rstrip(_TRAILING)))
    return list(found.values())


def looks_like_path(name: str) -> bool:
    """Whether somebody who wrote this meant a file: it has a folder or an ending in it."""
    return "/" in name or "\\" in name or "." in name.strip(".")
