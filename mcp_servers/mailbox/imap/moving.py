"""Mails of the folder that is open, moved to another one as one set, and the keys that they have there."""

from __future__ import annotations

import imaplib
import re
from collections.abc import Collection, Mapping

from mcp_servers.errors import Refusal
from mcp_servers.mailbox.imap.connection import checked
from mcp_servers.mailbox.imap.wire import fetched, quoted_name, uids_in

_COPIED = re.compile(r"(\d+) ([\d,:]+) ([\d,:]+)")


def move(wire: imaplib.IMAP4, abilities: frozenset[str], uids: Collection[int], name: str) -> Mapping[int, str]:
    """Move mails; the key of each there, by its UID here. One of which the server does not say it is left out.

    Raises:
        Refusal: the server can move no single mails.
    """
    wanted = uid_set(uids)
    wire.untagged_responses.pop("COPYUID", None)
    if "MOVE" in abilities:
        checked(wire.uid("MOVE", wanted, quoted_name(name)))
    elif "UIDPLUS" in abilities:
        checked(wire.uid("COPY", wanted, quoted_name(name)))
        checked(wire.uid("STORE", wanted, "+FLAGS.SILENT", r"(\Deleted)"))
        checked(wire.uid("EXPUNGE", wanted))
    else:
        raise Refusal("Its server cannot move single mails (neither MOVE nor UIDPLUS). Move them with a mail program.")
    return _keys(wire.untagged_responses.pop("COPYUID", []), name)


def undelete(wire: imaplib.IMAP4, uids: Collection[int]) -> None:
    """Take off the mark that programs put on what they throw away: it would hide a mail elsewhere, until the next clearing up."""
    marked = [uid for uid, flags in flags_of(wire, uids).items() if rb"\deleted" in flags]
    if marked:
        checked(wire.uid("STORE", uid_set(marked), "-FLAGS.SILENT", r"(\Deleted)"))


def flags_of(wire: imaplib.IMAP4, uids: Collection[int]) -> dict[int, frozenset[bytes]]:
    """The flags of those that are in the folder that is open."""
    answer = fetched(checked(wire.uid("FETCH", uid_set(uids), "(UID FLAGS)"))) if uids else []
    return {one.uid: one.flags for one in answer if one.uid in uids}


def uid_set(uids: Collection[int]) -> str:
    """As a command names them."""
    return ",".join(map(str, sorted(uids)))


def _keys(said: Collection[object], name: str) -> dict[int, str]:
    """What `COPYUID` says; a server that moves mails one by one says it several times."""
    found: dict[int, str] = {}
    for line in said:
        match = _COPIED.fullmatch(line.decode("ascii", "replace")) if isinstance(line, bytes) else None
        before, after = (uids_in(match[2]), uids_in(match[3])) if match else ((), ())
        if match and len(before) == len(after):
            found |= {old: f"{int(match[1])}.{new}.{name}" for old, new in zip(before, after, strict=True)}
    return found
