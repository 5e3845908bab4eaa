"""Which mails belong together, and how far a list of them has been read.

Pure. Mails are one conversation when one of them names another in `References` or `In-Reply-To`, or both name a third; a subject alone
binds nothing, since anybody can write one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Iterable, Sequence
from datetime import datetime
from typing import Generic, NamedTuple, Protocol, TypeVar

from mcp_servers.errors import Refusal
from mcp_servers.mailbox.places import ARCHIVE, DRAFTS, INBOX, LOCAL, SENT

PAGE_SIZE = 20
_KEPT_TWICE = frozenset({DRAFTS, SENT})
_RANKS = {INBOX: 1, SENT: 2, ARCHIVE: 4}
"""Where a mail of several folders is shown from; any other folder comes before the archive, which may hold everything."""
_CURSOR = re.compile(r"(\d{1,12})-(\d{1,12})")
_PLACE = re.compile(r"m(\d{1,12})\+(\d{1,12})")
WRONG_CURSOR = "This cursor is none of this list's. Ask again without it."


class Linked(Protocol):
    """What threads are made of."""

    @property
    def number(self) -> int: ...
    @property
    def sent_at(self) -> datetime: ...
    @property
    def message_id(self) -> str: ...
    @property
    def references(self) -> tuple[str, ...]: ...


class Placed(Linked, Protocol):
    """The same, and where it is."""

    @property
    def account(self) -> str: ...
    @property
    def folder(self) -> str: ...
    @property
    def sender(self) -> Hashable: ...
    @property
    def subject(self) -> str: ...


C = TypeVar("C", bound=Placed)
M = TypeVar("M", bound=Linked)
T = TypeVar("T")


class Page(NamedTuple, Generic[T]):
    """A part of a list, how many come after it, and the cursor that shows them."""

    items: tuple[T, ...]
    left: int
    cursor: str
    """Empty at the end."""


class Place(NamedTuple):
    """Where reading a conversation goes on: in which mail, after how many characters."""

    number: int
    offset: int


def newest_first(mails: Iterable[M]) -> tuple[M, ...]:
    return tuple(sorted(mails, key=_position, reverse=True))


def threads_of(mails: Iterable[M]) -> tuple[tuple[M, ...], ...]:
    """The conversations, that with the newest mail first, each with its newest mail first."""
    listed = newest_first(mails)
    leaders: dict[str, str] = {}

    def leader(name: str) -> str:
        leaders.setdefault(name, name)
        while leaders[name] != name:
            leaders[name] = leaders[leaders[name]]
            name = leaders[name]
        return name

    for mail in listed:
        own = leader(_own(mail))
        for other in mail.references:
            leaders[leader(other)] = own
            own = leader(own)
    found: dict[str, list[M]] = {}
    for mail in listed:
        found.setdefault(leader(_own(mail)), []).append(mail)
    return tuple(tuple(thread) for thread in found.values())


def without_copies(mails: Iterable[C], *, but: Collection[int] = ()) -> list[C]:
    """Without the local copies of what is also among an account's own sent mails and drafts, and each mail from one folder alone.

    Args:
        mails: of several accounts and folders.
        but: the numbers of mails that stay in any case.
    """
    listed = list(mails)
    kept = [mail for mail in listed if mail.message_id and mail.folder in _KEPT_TWICE]
    elsewhere = {(mail.folder, mail.message_id) for mail in kept if mail.account != LOCAL}
    found = [mail for mail in listed if mail.account != LOCAL or mail.number in but or (mail.folder, mail.message_id) not in elsewhere]
    shown: dict[Hashable, int] = {}
    for mail in found:
        shown[_same(mail)] = min(shown.get(_same(mail), _rank(mail, but)), _rank(mail, but))
    return [mail for mail in found if _rank(mail, but) == shown[_same(mail)]]


def page_of(items: Sequence[T], newest: Sequence[Linked], cursor: str, size: int = PAGE_SIZE) -> Page[T]:
    """The items after the cursor. What comes in at the head meanwhile moves nothing: a cursor is a place in time.

    Args:
        items: the newest first.
        newest: of each item, the mail that gives it its place.
        cursor: of the page before; empty for the first.
        size: of a page.

    Raises:
        Refusal: it is no cursor.
    """
    match = _CURSOR.fullmatch(cursor)
    if cursor and match is None:
        raise Refusal(WRONG_CURSOR)
    after = (int(match[1]), int(match[2])) if match else None
    rest = [(item, mail) for item, mail in zip(items, newest, strict=True) if after is None or _position(mail) < after]
    shown = rest[:size]
    left = len(rest) - len(shown)
    end = "-".join(map(str, _position(shown[-1][1]))) if left else ""
    return Page(tuple(item for item, _ in shown), left, end)


def place_of(cursor: str) -> Place | None:
    """Where to go on in a conversation; None at its beginning.

    Raises:
        Refusal: it is no cursor.
    """
    match = _PLACE.fullmatch(cursor)
    if cursor and match is None:
        raise Refusal(WRONG_CURSOR)
    return Place(int(match[1]), int(match[2])) if match else None


def _position(mail: Linked) -> tuple[int, int]:
    return max(0, int(mail.sent_at.timestamp())), mail.number


def _same(mail: Placed) -> Hashable:
    """What a mail and its copies in other folders share. A stranger can repeat an id, and must not hide another mail with it."""
    if not mail.message_id or mail.folder == DRAFTS:
        return mail.number
    return mail.account, mail.message_id, mail.sender, mail.subject, mail.sent_at


def _rank(mail: Placed, but: Collection[int]) -> int:
    return 0 if mail.number in but else _RANKS.get(mail.folder, 3)


def _own(mail: Linked) -> str:
    # Two mails may claim one id: then they are one conversation, like a copy in Sent and in the inbox.
    return mail.message_id or f"number {mail.number}"
