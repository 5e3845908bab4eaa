"""One folder of an IMAP server, as large as a test wants it, that answers by what it is asked: places, UIDs, and flags."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tests.fakes.rude_imap import Answer

_RANGE = re.compile(r"(UID )?FETCH (\d+):(\d+|\*) ", re.IGNORECASE)


def folder_answers(
    uids: Sequence[int],
    *,
    seen: frozenset[int] = frozenset(),
    gone: frozenset[int] = frozenset(),
    deleted: frozenset[int] = frozenset(),
    unasked: bytes = b"",
) -> Mapping[str, Answer]:
    """What the server says.

    Args:
        uids: of its mails, in their order.
        seen: those of them that somebody has read.
        gone: those that somebody else took away since the folder was opened: they keep their places, and are not told.
        deleted: those that somebody marked as deleted, and that are there until somebody clears up.
        unasked: what it says of itself before it answers a FETCH.
    """

    def flags(said: str) -> bytes:
        asked = _RANGE.match(said)
        if asked is None or not uids:
            return b"%TAG BAD there is no such mail\r\n"
        last = uids[-1] if asked[1] else len(uids)
        low, high = sorted((int(asked[2]), last if asked[3] == "*" else int(asked[3])))
        places = [place for place, uid in enumerate(uids, 1) if low <= (uid if asked[1] else place) <= high]
        told = ((place, uids[place - 1]) for place in places if uids[place - 1] not in gone)
        marks = ((place, uid, rb"\Seen" * (uid in seen) + rb" \Deleted" * (uid in deleted)) for place, uid in told)
        return unasked + b"".join(b"* %d FETCH (UID %d FLAGS (%s))\r\n" % mark for mark in marks)

    opened = b"* %d EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n" % len(uids)
    return {"EXAMINE": opened, "SELECT": opened, "SEARCH": b"* SEARCH %s\r\n" % b" ".join(map(b"%d".__mod__, uids)), "FLAGS": flags}
