"""An IMAP account: read without a trace (BODY.PEEK on a folder opened for reading), named by UID and UIDVALIDITY, moved only when asked.

What may have changed something is never sent a second time. Labels are flags and keywords.
"""

from __future__ import annotations

import imaplib
import ssl
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from mcp_servers.errors import Quoting, Refusal
from mcp_servers.mailbox.accounts import HEADS_BOUND_S, AccountFailed, Done, Listing, NotAll
from mcp_servers.mailbox.imap import labels as imap_labels
from mcp_servers.mailbox.imap.connection import ImapConnection, ImapServer, checked, count_of, folder_names, role_folder, select
from mcp_servers.mailbox.imap.keeping import ImapKeeping
from mcp_servers.mailbox.imap.moving import flags_of, move, uid_set, undelete
from mcp_servers.mailbox.imap.wire import Fetched, fetched
from mcp_servers.mailbox.maildir import MAX_MAIL_BYTES
from mcp_servers.mailbox.places import ARCHIVE, ROLES, TRASH

MAX_LISTED = 5000
"""The newest of a folder; more would take longer than anybody waits, and what is left out is said."""
HEAD_BYTES = 65_536
"""Of a mail that is only indexed: headers and the beginning of the text."""
BATCH = 50
GONE = "The mail is gone. Look again."
GMAIL = "X-GM-EXT-1"
"""What Gmail says that it can do: tell a mail's labels."""
ELSEWHERE = frozenset({rb"\inbox", rb"\sent", rb"\draft", rb"\drafts"})
"""Gmail's archive holds every mail; those with one of these labels are in a folder of their own, and are not archived."""


class ImapAccount:
    """One account; connects at the first question. Not for use by two threads at once."""

    def __init__(self, server: ImapServer, tls: ssl.SSLContext | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._connection = ImapConnection(server, tls)
        self._clock = clock
        self._names: Mapping[str, str] = {}

    @property
    def name(self) -> str:
        return self._connection.name

    def close(self) -> None:
        """Say goodbye, if anybody is there."""
        self._connection.close()

    def folders(self) -> tuple[str, ...]:
        self._names = self._connection.asked(folder_names)
        return (*(role for role in ROLES if role in self._names), *sorted(set(self._names) - {*ROLES}, key=str.casefold))

    def listing(self, folder: str) -> Listing:
        if folder not in (self._names or self.folders()):
            return Listing()
        return self._connection.asked(lambda wire: self._listed(wire, self._names[folder]))

    def heads(self, keys: Sequence[str], within_s: float = HEADS_BOUND_S) -> Iterator[tuple[str, bytes]]:
        give_up_at = self._clock() + within_s
        for folder, wanted in _by_folder(sorted(keys, key=_uid, reverse=True)).items():
            for start in range(0, len(wanted), BATCH):
                if self._clock() >= give_up_at:
                    raise NotAll(f"{self.name}: {len(wanted) - start} mails of {folder} are not read yet. Ask again.")
                yield from self._connection.asked(
                    lambda wire, batch=wanted[start : start + BATCH]: self._fetched(wire, batch, HEAD_BYTES)
                ).items()

    def read(self, key: str) -> bytes | None:
        return self._connection.asked(lambda wire: self._fetched(wire, [key], MAX_MAIL_BYTES)).get(key)

    def folder_of(self, key: str) -> str | None:
        return next((folder for folder, listing in self.look_at([key]).items() if listing.unread), None)

    def look_at(self, keys: Collection[str]) -> Mapping[str, Listing]:
        self._names = self._names or self._looked_up()
        names = {name: folder for folder, name in self._names.items()}
        return {
            names[name]: self._connection.asked(lambda wire, name=name, own=own: self._looked_at(wire, name, own))
            for name, own in _by_folder(keys).items()
            if name in names
        }

    def move(self, key: str, target: str) -> str:
        self._check_folder(target)
        # Opening the folder may find the connection gone and make another one; the move itself is sent once.
        if self._connection.asked(lambda wire: self._open(wire, key, readonly=False)) is None:
            raise Refusal(GONE)
        return self._connection.asked_once(self._sent([key], target), "moved").get(key, "")

    def move_all(self, keys: Sequence[str], target: str) -> Mapping[str, Done]:
        self._check_folder(target)
        done: dict[str, Done] = {}
        for batch in _by_folder(keys).values():
            try:
                done |= self._moved(batch, target)
            except AccountFailed as error:
                done |= {key: Done(problem=str(error)) for key in batch}
        return done

    def labels(self, folder: str) -> tuple[str, ...]:
        name = (self._names or self._looked_up()).get(folder)
        return self._connection.asked(lambda wire: imap_labels.offered(wire, name).names) if name else ()

    def labels_of(self, key: str) -> tuple[str, ...] | None:
        def has(wire: imaplib.IMAP4) -> tuple[str, ...] | None:
            offered = imap_labels.offered(wire, _folder(key))
            return imap_labels.names_of(self._flags(wire, key), offered) if key.startswith(f"{offered.validity}.") else None

        return self._connection.asked(has)

    def relabel(self, key: str, added: Collection[str], removed: Collection[str]) -> None:
        [done] = self._relabelled([key], added, removed).values()
        if done.problem:
            raise Refusal(done.problem)

    def relabel_all(self, keys: Sequence[str], added: Collection[str], removed: Collection[str]) -> Mapping[str, Done]:
        done: dict[str, Done] = {}
        for batch in _by_folder(keys).values():
            try:
                done |= self._relabelled(batch, added, removed)
            except (AccountFailed, Refusal) as error:
                done |= {key: Done(problem=str(error)) for key in batch}
        return done

    def keep_draft(self, content: bytes, *, is_new: bool) -> bytes:
        del is_new  # it is looked for all the same
        ImapKeeping(self._connection).keep_draft(content)
        return content

    def find_draft(self, content: bytes) -> bytes | None:
        # Its id is ours, and stays what it is.
        return content if ImapKeeping(self._connection).has_draft(content) else None

    def drop_draft(self, content: bytes) -> bool:
        return ImapKeeping(self._connection).drop_draft(content)

    def _looked_up(self) -> Mapping[str, str]:
        return self._connection.asked(folder_names)

    def _check_folder(self, target: str) -> None:
        """Make it, where it is one of the roles and missing."""
        self._names = self._looked_up()
        if target not in self._names and target not in ROLES:
            raise Quoting(f'There is no folder "{target}". There are {", ".join(self._names)}. Name one of them.')
        self._connection.asked(lambda wire: self._make(wire, target))

    def _moved(self, keys: Sequence[str], target: str) -> dict[str, Done]:
        """Mails of one folder. Where the server refuses, or gives no answer, it is looked at what it did."""
        there = self._connection.asked(lambda wire: self._present(wire, keys, readonly=False))
        done = {key: Done(problem=GONE) for key in keys if key not in there}
        if not there:
            return done
        try:
            known = self._connection.asked_once(self._sent(there, target), "moved")
        except AccountFailed as error:
            try:
                left = self._connection.asked(lambda wire: self._present(wire, there))
            except AccountFailed:
                left = there
            return done | {key: Done(problem=str(error)) if key in left else Done() for key in there}
        return done | {key: Done(known.get(key, "")) for key in there}

    def _sent(self, keys: Sequence[str], target: str) -> Callable[[imaplib.IMAP4], dict[str, str]]:
        """The move itself, from the folder that is open; the keys that are known afterwards, by those of before."""

        def send(wire: imaplib.IMAP4) -> dict[str, str]:
            uids = [_uid(key) for key in keys]
            if self._is_trash(_folder(keys[0])):
                undelete(wire, uids)
            moved = move(wire, self._connection.abilities, uids, self._names[target])
            return {key: moved[_uid(key)] for key in keys if _uid(key) in moved}

        return send

    def _relabelled(self, keys: Sequence[str], added: Collection[str], removed: Collection[str]) -> dict[str, Done]:
        """Mails of one folder."""

        def change(wire: imaplib.IMAP4) -> dict[str, Done]:
            offered = imap_labels.offered(wire, _folder(keys[0]))
            own = [_uid(key) for key in keys if key.startswith(f"{offered.validity}.")]
            there = flags_of(wire, own)
            if there:
                imap_labels.store(wire, there, offered, added, removed)
            has = {uid: imap_labels.names_of(flags, offered) or () for uid, flags in flags_of(wire, there).items()}
            return {key: self._told(key, has.get(_uid(key)) if _uid(key) in own else None, added) for key in keys}

        # Done twice, it is as done once.
        return self._connection.asked(change)

    def _told(self, key: str, has: Sequence[str] | None, added: Collection[str]) -> Done:
        if has is None:
            return Done(problem=GONE)
        if lacking := [name for name in added if name.lower() not in {one.lower() for one in has}]:
            names = ", ".join(lacking)
            return Done(problem=f"{self.name}: its server does not keep the label {names}. Name another one; list_labels shows them.")
        return Done(key)

    def _make(self, wire: imaplib.IMAP4, role: str) -> None:
        if role not in self._names:
            self._names = {**self._names, role: role_folder(wire, role)}

    def _listed(self, wire: imaplib.IMAP4, name: str) -> Listing:
        validity = select(wire, name, readonly=True)
        count = count_of(wire)
        if not count:
            return Listing(gone=frozenset)
        # By their places, which a server counts: the UIDs of a large folder in one line are more than anybody takes in.
        first = max(1, count - MAX_LISTED + 1)
        answer = fetched(checked(wire.fetch(f"{first}:*", self._marks_of(name))))
        # A server may tell of others meanwhile, whose flags somebody else changed.
        newest = {one.uid: one.flags for one in answer if one.number >= first}
        is_whole = len(newest) > count - first
        oldest = 0 if first == 1 else min(newest, default=0)

        def gone(keys: Collection[str]) -> frozenset[str]:
            # What is older than the listed ones may be there; under another UIDVALIDITY no number means what it meant.
            return frozenset(
                key for key in keys if not key.startswith(f"{validity}.") or (is_whole and _uid(key) >= oldest and _uid(key) not in newest)
            )

        unread = {f"{validity}.{uid}.{name}": is_unread for uid, is_unread in self._shown(name, answer, newest).items()}
        return Listing(unread, left_out=first - 1, gone=gone)

    def _looked_at(self, wire: imaplib.IMAP4, name: str, keys: Sequence[str]) -> Listing:
        """Those of these mails of one folder that a listing of it would show, however many are newer."""
        validity = select(wire, name, readonly=True)
        own = {_uid(key): key for key in keys if key.startswith(f"{validity}.")}
        answer = fetched(checked(wire.uid("FETCH", uid_set(own), self._marks_of(name)))) if own else []
        flags = {one.uid: one.flags for one in answer if one.uid in own}
        return Listing({own[uid]: is_unread for uid, is_unread in self._shown(name, answer, flags).items()})

    def _marks_of(self, name: str) -> str:
        """What is asked of each mail of a folder."""
        tells_labels = name == self._names.get(ARCHIVE) and GMAIL in self._connection.abilities
        return "(UID FLAGS X-GM-LABELS)" if tells_labels else "(UID FLAGS)"

    def _shown(self, name: str, answer: Sequence[Fetched], flags: Mapping[int, frozenset[bytes]]) -> dict[int, bool]:
        """Which of these mails are shown in that folder, and whether each is unread."""
        elsewhere = {one.uid for one in answer if one.labels & ELSEWHERE}
        # One that is marked as deleted is there until somebody clears up; till then the mark can be taken off again. In the trash it is
        # where a person looks for it.
        is_trash = self._is_trash(name)
        there = {uid: marks for uid, marks in flags.items() if uid not in elsewhere and (is_trash or rb"\deleted" not in marks)}
        return {uid: rb"\seen" not in marks for uid, marks in there.items()}

    def _is_trash(self, name: str) -> bool:
        return name == self._names.get(TRASH)

    def _fetched(self, wire: imaplib.IMAP4, keys: Sequence[str], limit: int) -> dict[str, bytes]:
        if self._open(wire, keys[0], readonly=True) is None:
            return {}
        by_uid = {_uid(key): key for key in keys}
        numbers = ",".join(str(uid) for uid in by_uid)
        answer = fetched(checked(wire.uid("FETCH", numbers, f"(UID BODY.PEEK[]<0.{limit}>)")))
        return {by_uid[one.uid]: one.content for one in answer if one.uid in by_uid and one.content is not None}

    def _present(self, wire: imaplib.IMAP4, keys: Sequence[str], *, readonly: bool = True) -> tuple[str, ...]:
        """Those that are in their folder, which is one."""
        validity = select(wire, _folder(keys[0]), readonly=readonly)
        there = flags_of(wire, [_uid(key) for key in keys if key.startswith(f"{validity}.")])
        return tuple(key for key in keys if _uid(key) in there)

    def _flags(self, wire: imaplib.IMAP4, key: str) -> frozenset[bytes] | None:
        return flags_of(wire, [_uid(key)]).get(_uid(key))

    def _open(self, wire: imaplib.IMAP4, key: str, *, readonly: bool) -> str | None:
        """Open the key's folder; None when its UIDs mean other mails by now."""
        validity = select(wire, _folder(key), readonly=readonly)
        return validity if key.startswith(f"{validity}.") else None


def _by_folder(keys: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key in keys:
        found.setdefault(_folder(key), []).append(key)
    return found


def _uid(key: str) -> int:
    return int(key.split(".", 2)[1])


def _folder(key: str) -> str:
    return key.split(".", 2)[2]
