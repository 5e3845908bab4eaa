"""An IMAP account: read without a trace (BODY.PEEK on a folder opened for reading), named by UID and UIDVALIDITY, moved only when asked.

What may have changed something is never sent a second time. Labels are flags and keywords.
"""

from __future__ import annotations

import imaplib
import re
import ssl
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from mcp_servers.errors import Quoting, Refusal
from mcp_servers.mailbox import imap_labels
from mcp_servers.mailbox.accounts import Listing, NotAll
from mcp_servers.mailbox.imap_connection import ImapConnection, ImapServer, checked, folder_names, role_folder, select
from mcp_servers.mailbox.imap_keeping import ImapKeeping
from mcp_servers.mailbox.imapwire import fetched, quoted_name
from mcp_servers.mailbox.maildir import MAX_MAIL_BYTES
from mcp_servers.mailbox.places import ROLES

HEADS_BOUND_S = 25.0
"""Reading a mailbox for the first time: what is not read by then is read at the next look, within the host's own bound for a call."""
MAX_LISTED = 5000
"""The newest of a folder; more would take longer than anybody waits, and what is left out is said."""
HEAD_BYTES = 65_536
"""Of a mail that is only indexed: headers and the beginning of the text."""
BATCH = 50
GONE = "The mail is gone. Look again."


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

    def heads(self, keys: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        give_up_at = self._clock() + HEADS_BOUND_S
        by_folder: dict[str, list[str]] = {}
        for key in sorted(keys, key=lambda key: _uid(key), reverse=True):
            by_folder.setdefault(_folder(key), []).append(key)
        for folder, wanted in by_folder.items():
            for start in range(0, len(wanted), BATCH):
                if self._clock() > give_up_at:
                    raise NotAll(f"{self.name}: {len(wanted) - start} mails of {folder} are not read yet. Ask again.")
                yield from self._connection.asked(
                    lambda wire, batch=wanted[start : start + BATCH]: self._fetched(wire, batch, HEAD_BYTES)
                ).items()

    def read(self, key: str) -> bytes | None:
        return self._connection.asked(lambda wire: self._fetched(wire, [key], MAX_MAIL_BYTES)).get(key)

    def folder_of(self, key: str) -> str | None:
        names = {name: folder for folder, name in (self._names or self._looked_up()).items()}
        name = _folder(key)
        is_there = name in names and self._connection.asked(lambda wire: key in self._present(wire, key))
        return names[name] if is_there else None

    def move(self, key: str, target: str) -> str:
        self._names = self._looked_up()
        if target not in self._names and target not in ROLES:
            raise Quoting(f'There is no folder "{target}". There are {", ".join(self._names)}. Name one of them.')
        self._connection.asked(lambda wire: self._make(wire, target))
        # Opening the folder may find the connection gone and make another one; the move itself is sent once.
        if self._connection.asked(lambda wire: self._open(wire, key, readonly=False)) is None:
            raise Refusal(GONE)
        return self._connection.asked_once(lambda wire: self._move(wire, key, self._names[target]), "moved")

    def labels(self, folder: str) -> tuple[str, ...]:
        name = (self._names or self._looked_up()).get(folder)
        return self._connection.asked(lambda wire: imap_labels.offered(wire, name).names) if name else ()

    def labels_of(self, key: str) -> tuple[str, ...] | None:
        def has(wire: imaplib.IMAP4) -> tuple[str, ...] | None:
            offered = imap_labels.offered(wire, _folder(key))
            return imap_labels.names_of(self._flags(wire, key), offered) if key.startswith(f"{offered.validity}.") else None

        return self._connection.asked(has)

    def relabel(self, key: str, added: Collection[str], removed: Collection[str]) -> None:
        def change(wire: imaplib.IMAP4) -> None:
            offered = imap_labels.offered(wire, _folder(key))
            if not key.startswith(f"{offered.validity}.") or self._flags(wire, key) is None:
                raise Refusal(GONE)
            imap_labels.store(wire, _uid(key), offered, added, removed)
            has = imap_labels.names_of(self._flags(wire, key), offered)
            if has is not None and (lacking := [name for name in added if name.lower() not in {one.lower() for one in has}]):
                raise Refusal(
                    f"{self.name}: its server does not keep the label {', '.join(lacking)}. Name another one; list_labels shows them."
                )

        # Done twice, it is as done once.
        self._connection.asked(change)

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

    def _make(self, wire: imaplib.IMAP4, role: str) -> None:
        if role not in self._names:
            self._names = {**self._names, role: role_folder(wire, role)}

    def _listed(self, wire: imaplib.IMAP4, name: str) -> Listing:
        validity = select(wire, name, readonly=True)
        uids = [int(uid) for line in checked(wire.uid("SEARCH", "ALL")) if isinstance(line, bytes) for uid in line.split()]
        newest = sorted(uids)[-MAX_LISTED:]
        if not newest:
            return Listing(gone=frozenset)
        found = fetched(checked(wire.uid("FETCH", f"{newest[0]}:{newest[-1]}", "(UID FLAGS)")))
        wanted = {*newest}
        unread = {f"{validity}.{one.uid}.{name}": rb"\seen" not in one.flags for one in found if one.uid in wanted}

        def gone(keys: Collection[str]) -> frozenset[str]:
            # What is older than the listed ones may be there; under another UIDVALIDITY no number means what it meant.
            return frozenset(
                key for key in keys if not key.startswith(f"{validity}.") or _uid(key) >= newest[0] or len(uids) == len(newest)
            )

        return Listing(unread, left_out=len(uids) - len(newest), gone=gone)

    def _fetched(self, wire: imaplib.IMAP4, keys: Sequence[str], limit: int) -> dict[str, bytes]:
        if self._open(wire, keys[0], readonly=True) is None:
            return {}
        by_uid = {_uid(key): key for key in keys}
        numbers = ",".join(str(uid) for uid in by_uid)
        answer = fetched(checked(wire.uid("FETCH", numbers, f"(UID BODY.PEEK[]<0.{limit}>)")))
        return {by_uid[one.uid]: one.content for one in answer if one.uid in by_uid and one.content is not None}

    def _present(self, wire: imaplib.IMAP4, key: str) -> set[str]:
        return {key} if self._open(wire, key, readonly=True) is not None and self._flags(wire, key) is not None else set()

    def _flags(self, wire: imaplib.IMAP4, key: str) -> frozenset[bytes] | None:
        answer = fetched(checked(wire.uid("FETCH", str(_uid(key)), "(UID FLAGS)")))
        return next((one.flags for one in answer if one.uid == _uid(key)), None)

    def _open(self, wire: imaplib.IMAP4, key: str, *, readonly: bool) -> str | None:
        """Open the key's folder; None when its UIDs mean other mails by now."""
        validity = select(wire, _folder(key), readonly=readonly)
        return validity if key.startswith(f"{validity}.") else None

    def _move(self, wire: imaplib.IMAP4, key: str, name: str) -> str:
        uid = str(_uid(key))
        wire.untagged_responses.pop("COPYUID", None)
        if "MOVE" in self._connection.abilities:
            checked(wire.uid("MOVE", uid, quoted_name(name)))
        elif "UIDPLUS" in self._connection.abilities:
            checked(wire.uid("COPY", uid, quoted_name(name)))
            checked(wire.uid("STORE", uid, "+FLAGS.SILENT", r"(\Deleted)"))
            checked(wire.uid("EXPUNGE", uid))
        else:
            raise Refusal(f"{self.name}: its server cannot move single mails (neither MOVE nor UIDPLUS). Move it with a mail program.")
        copied = wire.untagged_responses.pop("COPYUID", [b""])[-1]
        match = re.fullmatch(rb"(\d+) \d+ (\d+)", copied) if isinstance(copied, bytes) else None
        return f"{int(match[1])}.{int(match[2])}.{name}" if match else f"0.0.{name}"


def _uid(key: str) -> int:
    return int(key.split(".", 2)[1])


def _folder(key: str) -> str:
    return key.split(".", 2)[2]
