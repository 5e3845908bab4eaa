"""Labels of an IMAP folder's mails: the flags that every server keeps, and keywords where the folder takes them."""

from __future__ import annotations

import imaplib
import re
from collections.abc import Collection
from dataclasses import dataclass

from mcp_servers.errors import Quoting, Refusal
from mcp_servers.mailbox.imap.connection import NotWritable, checked, select
from mcp_servers.mailbox.imap.moving import uid_set
from mcp_servers.mailbox.places import FLAGGED, UNREAD

_FLAGGED, _SEEN = r"\Flagged", r"\Seen"
_ANY = r"\*"
_KEYWORD = re.compile(r"[A-Za-z0-9$_.+:#-]{1,60}")
"""What no server takes for anything but a name; spaces and the like are no part of one."""


@dataclass(frozen=True)
class Offered:
    """What mails of a folder can be labelled with."""

    validity: str
    """What the folder's UIDs mean."""
    keywords: tuple[str, ...]
    takes_new: bool

    @property
    def names(self) -> tuple[str, ...]:
        return (FLAGGED, UNREAD, *self.keywords)


def offered(wire: imaplib.IMAP4, name: str) -> Offered:
    """Open a folder, for changes too, and see what it says: one that is opened only for reading need not say it."""
    try:
        validity = select(wire, name, readonly=False)
    except NotWritable:
        validity = select(wire, name, readonly=True)
    said = [line for line in wire.untagged_responses.get("PERMANENTFLAGS", []) if isinstance(line, bytes)]
    flags = said[-1].decode("ascii", "replace").strip("()").split() if said else []
    return Offered(validity, tuple(flag for flag in flags if not flag.startswith("\\")), _ANY in flags)


def names_of(flags: frozenset[bytes] | None, folder: Offered) -> tuple[str, ...] | None:
    """What a mail with these flags, in lower case, is labelled with; None of a mail that is gone."""
    if flags is None:
        return None
    spelled = {one.lower(): one for one in folder.keywords}
    has = {flag.decode("ascii", "replace") for flag in flags}
    keywords = sorted(spelled.get(flag, flag) for flag in has if not flag.startswith("\\"))
    marks = (*((FLAGGED,) if _FLAGGED.lower() in has else ()), *((UNREAD,) if _SEEN.lower() not in has else ()))
    return (*marks, *keywords)


def store(wire: imaplib.IMAP4, uids: Collection[int], folder: Offered, added: Collection[str], removed: Collection[str]) -> None:
    """Set and take away flags in the folder that is open.

    Raises:
        Refusal: one of them can be no keyword, or the folder takes no new ones.
    """
    for name in (*added, *removed):
        if name not in folder.names and name.lower() not in {one.lower() for one in folder.keywords}:
            _check_new(name, folder)
    plus = [*(_flag(name) for name in added if name != UNREAD), *([_SEEN] if UNREAD in removed else [])]
    minus = [*(_flag(name) for name in removed if name != UNREAD), *([_SEEN] if UNREAD in added else [])]
    for sign, flags in (("+", plus), ("-", minus)):
        if flags:
            checked(wire.uid("STORE", uid_set(uids), f"{sign}FLAGS.SILENT", f"({' '.join(flags)})"))


def _check_new(name: str, folder: Offered) -> None:
    if not folder.takes_new:
        raise Quoting(f"This server takes no new labels. There are {', '.join(folder.names)}. Name one of them.")
    if not _KEYWORD.fullmatch(name):
        raise Refusal(f'"{name}" can be no label here. Give one word of at most 60 letters, digits and $ _ . + : # -.')


def _flag(name: str) -> str:
    return _FLAGGED if name == FLAGGED else name
