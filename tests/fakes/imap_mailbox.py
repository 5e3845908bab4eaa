"""An IMAP server on loopback whose folders hold as many mails as a test wants, each fetched at a price that the test counts."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager

from tests.fakes.rude_imap import Answer, rude_imap

_ASKED = re.compile(r"FETCH ([\d,]+) ")
MAIL = (
    "From: Carla <carla@example.org>\r\nTo: you@work.example\r\nSubject: s{0}\r\nMessage-ID: <{0}@example.org>\r\n"
    "Date: Fri, 20 Nov 2026 08:{1:02}:00 +0100\r\n\r\nText {0}.\r\n"
)


@contextmanager
def imap_mailbox(
    folders: Mapping[str, Sequence[int]],
    *,
    on_fetch: Callable[[], object] = lambda: None,
    on_flags: Callable[[str], object] = lambda _: None,
) -> Generator[int]:
    """The server, until the body is done: one mail of an UID is the same mail in every folder. For one connection.

    Args:
        folders: the UIDs in each, by the server's name.
        on_fetch: called before mails are handed over.
        on_flags: called with each command that asks for flags.

    Yields:
        Its port.
    """
    opened: list[Sequence[int]] = [()]

    def examine(said: str) -> bytes:
        opened[0] = folders[said.partition(" ")[2].strip('"')]
        return b"* %d EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n" % len(opened[0])

    def flags(said: str) -> bytes:
        on_flags(said)
        return b"".join(b"* %d FETCH (UID %d FLAGS ())\r\n" % (place, uid) for place, uid in enumerate(opened[0], 1))

    def bodies(said: str) -> bytes:
        on_fetch()
        asked = _ASKED.search(said)
        uids = [int(uid) for uid in asked[1].split(",")] if asked else []
        mails = {uid: MAIL.format(uid, uid % 60).encode() for uid in uids if uid in opened[0]}
        told = ((opened[0].index(uid) + 1, uid, len(mail), mail) for uid, mail in mails.items())
        return b"".join(b"* %d FETCH (UID %d BODY[]<0> {%d}\r\n%s)\r\n" % one for one in told)

    listed = b"".join(b'* LIST () "/" "%s"\r\n' % name.encode() for name in folders)
    answers: dict[str, Answer] = {"LIST": listed, "EXAMINE": examine, "FLAGS": flags, "BODY": bodies}
    with rude_imap(answers) as port:
        yield port
