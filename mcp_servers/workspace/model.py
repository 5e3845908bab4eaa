"""What the workspace tools speak of: a place in a root, what lies there, a match, one step of a change.

Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["file", "folder", "link", "other"]
StepKind = Literal["write", "create", "delete", "make_folder", "remove_folder", "move"]
UNNAMED = re.compile(r"\.variet-[0-9a-f]{16}\.new")
"""A file that is being written and has not got its name yet."""


@dataclass(frozen=True)
class Place:
    """Where something lies, or would: names below a root, as they are written."""

    root: int
    """Which of the workspace's folders."""
    parts: tuple[str, ...]
    shown: str
    """As the model names it."""

    @property
    def name(self) -> str:
        return self.parts[-1] if self.parts else ""


@dataclass(frozen=True)
class Found:
    """What lies at a place; a link is never followed."""

    kind: Kind
    size: int
    """Bytes."""
    mode: int
    """The permission bits."""
    names: int
    """How many names the file has: more than one for hard links."""
    device: int = 0
    inode: int = 0


@dataclass(frozen=True)
class Entry:
    """One name in a folder."""

    name: str
    kind: Kind
    size: int
    """Bytes; 0 for what is no file."""


@dataclass(frozen=True)
class Content:
    """A file's bytes and permission bits, read together."""

    data: bytes
    mode: int


@dataclass(frozen=True)
class Match:
    """One line that a search found, with the lines around it."""

    place: Place
    number: int
    """Of the line, from 1."""
    line: str
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    start: int = 0
    """Where in the line it begins."""


@dataclass(frozen=True)
class Step:
    """One thing that a change does to one place, with what it needs to be undone."""

    kind: StepKind
    place: Place
    before: Content | None = None
    """Of a file that is there before."""
    after: Content | None = None
    """Of a file that is there afterwards."""
    target: Place | None = None
    """Where it is moved to."""


@dataclass(frozen=True)
class Change:
    """What one call does, as the journal keeps it."""

    uid: str
    """The client-made id: the same change twice has one effect."""
    title: str
    """`Edit src/x.py`."""
    steps: tuple[Step, ...]
    undoes: int | None = None
    """The number of the change that it takes back."""


def set_by(key: str, option: str) -> str:
    """Where the person says something, for a refusal: a server with roots of its own reads no settings of the workspace."""
    return f"workspace.{key} in agent.toml, or {option} where the server is started with --root"
