"""The one way out: a letter is delivered once, to the local folder `Sent`.

A grant of the agent service will be checked in `Delivery.send`, which everything that leaves passes.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path

from mcp_servers.errors import Refusal
from mcp_servers.files import locked
from mcp_servers.letters import Letter
from mcp_servers.maildir import Maildir
from mcp_servers.outbox.ledger import Ledger, SentDraft, digest_of

OTHER_LETTER = "Another letter was sent under this approval. Ask again."


class Delivery:
    """The ledger and the folder that mails are delivered to."""

    def __init__(self, folder: Path, sent: Maildir) -> None:
        self._folder = folder
        self._ledger = Ledger(folder / "outbox.sqlite")
        self._sent = sent

    def close(self) -> None:
        self._ledger.close()

    def sent_letter(self, uid: str) -> Letter | None:
        """What was sent under this id."""
        entry = self._ledger.entry(uid)
        return entry.letter if entry is not None and entry.state == "sent" else None

    def sent_drafts(self) -> list[SentDraft]:
        """Drafts that were sent and are perhaps still there."""
        return self._ledger.sent_drafts()

    def forget_draft(self, uid: str) -> None:
        """The draft that was sent under this id is gone."""
        self._ledger.forget_draft(uid)

    def send(self, uid: str, letter: Letter, content: bytes, at: datetime, *, draft: str = "") -> Letter:
        """Deliver the letter, unless it was delivered under this id.

        Args:
            uid: the client-made id of the approved call.
            letter: what is shown and what the ledger keeps.
            content: the mail itself.
            at: the message's own time.
            draft: the key of the draft that it is; empty for none.

        Raises:
            Refusal: another letter was sent under this id.
        """
        with locked(self._folder):
            entry = self._ledger.plan(uid, letter, at)
            if entry.digest != digest_of(letter):
                raise Refusal(OTHER_LETTER)
            if entry.state == "sent":
                return entry.letter
            if draft:
                self._ledger.note_draft(uid, draft)
            self._ledger.mark(uid, "in_flight")
            # The key is made of the id: what a crash left half done is found under it, and not delivered again.
            self._sent.add(content, key=hashlib.sha256(uid.encode()).hexdigest()[:32])
            self._ledger.mark(uid, "sent")
            return letter
