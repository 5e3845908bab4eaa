"""The one way out, which everything that leaves passes: a letter goes once, under one grant, and its end is written down.

The ledger says before each step what comes next; the carrier does the step.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mcp_servers.errors import Quoting, Refusal
from mcp_servers.files import locked
from mcp_servers.mailbox.message.letters import Letter
from mcp_servers.outbox.carriers import Carrier, LocalCarrier, NotSent, Parcel, TurnedDown, Unsure
from mcp_servers.outbox.grants import USED, Grant
from mcp_servers.outbox.ledger import Entry, Ledger, SentDraft, State, digest_of

log = logging.getLogger(__name__)
OTHER_LETTER = "Another letter was sent under this approval. Ask again."
UNKNOWN = "It is not known whether this mail was sent. Look into the account's sent mails, or ask who it was for; it is not sent again."


@dataclass(frozen=True)
class Sending:
    """One letter on its way."""

    uid: str
    """The client-made id of the approved call."""
    letter: Letter
    """What is shown and what the ledger keeps."""
    sender: str
    content: Callable[[], bytes]
    """The mail itself."""
    at: datetime
    """The message's own time."""
    draft: str = ""
    """The key of the draft that it is; empty for none."""
    thread: str = ""
    """The conversation at its account that it answers in; empty for none."""
    account_draft: str = ""
    """The account's own name of the draft; empty for none."""


class Delivery:
    """The ledger and the way out."""

    def __init__(self, folder: Path, carrier: Carrier) -> None:
        self._folder = folder
        self._ledger = Ledger(folder / "outbox.sqlite")
        self._carrier = carrier
        self._unwritten: set[str] = set()
        """The ids of what was sent, which could not be written down yet."""

    @property
    def is_local(self) -> bool:
        """Whether what is sent stays on this machine: `Sent` is what its result says all the same."""
        return isinstance(self._carrier, LocalCarrier)

    def close(self) -> None:
        self._ledger.close()

    def sent_letter(self, uid: str) -> Letter | None:
        """What was sent under this id."""
        entry = self._ledger.entry(uid)
        return entry.letter if entry is not None and entry.state == "sent" else None

    def sent_drafts(self) -> list[SentDraft]:
        """Drafts that were sent and are perhaps still there."""
        self._catch_up()
        return self._ledger.sent_drafts()

    def is_unsettled(self, draft: str) -> bool:
        """Whether this draft may have been sent already and nobody knows."""
        return any(state in ("in_flight", "unknown") for state in self._ledger.draft_states(draft).values())

    def forget_draft(self, uid: str) -> None:
        """The draft that was sent under this id is gone."""
        self._ledger.forget_draft(uid)

    def send(self, sending: Sending, grant: Grant) -> Letter:
        """Send the letter, unless it was sent under this id.

        1. Another letter has this id: refused.
        2. The grant was used before: refused.
        3. It was sent: that letter, and nothing more.
        4. A crash left it in flight: looked up. Gone: as 3. Not gone: it is sent. Nobody can look: unknown, as 5.
        5. It is unknown whether it was sent: looked up again. Found: as 3. Else refused, and never sent.
        6. It is sent. What the carrier refuses is planned again and needs another grant.

        Raises:
            Refusal: with which of these it was.
        """
        with locked(self._folder):
            self._catch_up()
            entry = self._ledger.plan(sending.uid, sending.letter, sending.at)
            if entry.digest != digest_of(sending.letter):  # 1
                raise Refusal(OTHER_LETTER)
            if not self._ledger.use(sending.uid, grant):  # 2
                raise Refusal(USED)
            if self._is_gone(entry):  # 3, 4, 5
                return entry.letter
            if sending.draft:
                self._ledger.note_draft(sending.uid, sending.draft)
            self._carry(sending)  # 6
            return sending.letter

    def _is_gone(self, entry: Entry) -> bool:
        """Whether it was sent before.

        Raises:
            Refusal: nobody knows.
        """
        if entry.state == "in_flight":
            was_carried = self._carrier.was_carried(entry.uid)
            self._note(entry.uid, "unknown" if was_carried is None else "sent" if was_carried else "approved")
            if was_carried is None:
                raise Refusal(UNKNOWN)
            return was_carried
        if entry.state == "unknown":
            if not self._carrier.was_carried(entry.uid):
                raise Refusal(UNKNOWN)
            self._note(entry.uid, "sent")
            return True
        return entry.state == "sent"

    def _carry(self, sending: Sending) -> None:
        recipients = sending.letter.everyone
        parcel = Parcel(sending.uid, sending.content(), sending.sender, recipients, sending.thread, sending.account_draft)
        try:
            self._carrier.carry(parcel, on_leaving=lambda: self._ledger.mark(sending.uid, "in_flight"))
        except NotSent as error:
            self._note(sending.uid, "planned")
            raise (Quoting if isinstance(error, TurnedDown) else Refusal)(str(error)) from error
        except Unsure as error:
            self._note(sending.uid, "unknown")
            raise Refusal(UNKNOWN) from error
        self._note(sending.uid, "sent")

    def _note(self, uid: str, state: State) -> None:
        """Write down how it ended. It has ended so even where that cannot be written: told as a failure, a mail would be sent again.

        Its row stays as it was then, and the next call under its id looks it up; what was sent is written down as soon as it can be.
        """
        try:
            self._ledger.mark(uid, state)
        except sqlite3.Error:
            log.exception("a mail is %s, and that could not be written down", state)
            if state == "sent":
                self._unwritten.add(uid)
        else:
            self._unwritten.discard(uid)

    def _catch_up(self) -> None:
        for uid in sorted(self._unwritten):
            self._note(uid, "sent")
