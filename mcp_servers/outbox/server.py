"""The sending tools. This process alone can send, and it can do nothing else.

It reads who has written, to know whom a name means, and the draft that it sends; it shows neither. A call runs only with the agent
service's grant for exactly that call: without one the letter is kept as a draft, and the answer says how a person sends it.
"""

from __future__ import annotations

import hashlib
import logging
import re
import sqlite3
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import SecretStr

from mcp_servers.errors import Quoting, Refusal, Stale
from mcp_servers.mailbox.message.letters import Letter, default_subject, is_mailbox, letter_text, no_draft_text, one_line
from mcp_servers.mailbox.message.mime import compose, parse, redated
from mcp_servers.mailbox.people import recipients
from mcp_servers.mailbox.store import MailStore
from mcp_servers.mailbox.thread_mark import draft_of, mark_of, unmarked
from mcp_servers.outbox.delivery import Delivery, Sending
from mcp_servers.outbox.grants import Grant, check_grant
from mcp_servers.outbox.ledger import digest_of
from mcp_servers.outbox.shape import DRAFT_CHANGED, MAY_BE_SENT, STAYS_HERE, kept_text, sent_text
from mcp_servers.outbox.tools import TOOLS
from mcp_servers.outside.quoting import clean_line, clean_text, shortened
from mcp_servers.protocol.calls import Call, Handler, Outcome, Plan

__all__ = ["TOOLS", "Outbox"]

log = logging.getLogger(__name__)
MAX_SAID_CHARS = 100
_LAST = re.compile(r"(?:my |the )?(?:last|latest|newest)(?: draft)?(?: mail)?")
_NUMBER = re.compile(r"(?:draft )?d?(\d{1,9})")


@dataclass(frozen=True)
class _Draft:
    number: int
    key: str
    content: bytes

    @property
    def version(self) -> str:
        return hashlib.sha256(self.content).hexdigest()[:16]

    @property
    def attachments(self) -> tuple[str, ...]:
        """Shown to whoever is asked: a draft may come from another program."""
        return parse(self.content).attachments

    @property
    def is_shown_whole(self) -> bool:
        """What the person is shown is all that it says; a draft of another program may have an HTML form with other words."""
        return parse(self.content).is_plain

    @property
    def answers_go_to(self) -> tuple[str, ...]:
        return tuple(person.address for person in parse(self.content).reply_to)

    @property
    def sender(self) -> str:
        return parse(self.content).sender.address

    @property
    def letter(self) -> Letter:
        return _letter_of(self.content)


class Outbox:
    """The tools over one mail store and its delivery.

    Args:
        store: drafts, and who has written.
        delivery: the way out.
        key: of the agent service that started this process; empty when another client did.
        clock: epoch seconds.
    """

    def __init__(
        self, store: MailStore, delivery: Delivery, *, key: SecretStr | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._delivery = delivery
        self._key = key
        self._clock = clock

    def clear_sent_drafts(self) -> None:
        """Remove every draft that was sent: a crash between the two leaves one behind, and it would go out again."""
        for sent in self._delivery.sent_drafts():
            content = self._store.drafts.read(sent.draft)
            # Under the same key another program may have saved something else since.
            if content is not None and digest_of(_letter_of(content)) == sent.digest:
                self._store.drafts.remove(sent.draft)
            self._delivery.forget_draft(sent.uid)

    def handlers(self) -> dict[str, Handler]:
        return {"send_mail": self.send_mail, "send_draft": self.send_draft}

    def send_mail(self, call: Call) -> Plan:
        to = recipients(call.text("to"), self._store.people())
        body = clean_text(call.text("body"))
        letter = Letter(to, one_line(call.text("subject"), "subject") or default_subject(body), body)
        uid = call.host_text("uid") or str(uuid.uuid4())
        sender = self._store.own_address()

        def content() -> bytes:
            return compose(letter, sender=sender, message_id=f"<{_key_of(uid)}@variet.invalid>", at=call.now)

        def execute() -> Outcome:
            grant = self._grant(call)
            if grant is None:
                return _kept(self._store.save_draft(content(), key=_key_of(uid)))
            return _outcome(self._delivery.send(Sending(uid, letter, sender, content, call.now), grant))

        arguments = {"to": ", ".join(to), "body": body, "subject": letter.subject}
        return Plan(arguments, *self._shown(letter), execute, host={"uid": uid}, may_be_broken_off=True)

    def send_draft(self, call: Call) -> Plan:
        uid = call.host_text("uid") or str(uuid.uuid4())
        self.clear_sent_drafts()
        sent = self._delivery.sent_letter(uid)
        if sent is not None:  # the draft is gone by now, and need not be there to say so
            said = {"draft": call.text("draft")}
            return Plan(said, *self._shown(sent), lambda: _outcome(sent, is_quoting=True), host={"uid": uid})
        draft = self._find(call)
        if call.host_text("version") not in {"", draft.version}:
            raise Stale(DRAFT_CHANGED)
        letter = _sendable(draft)

        def execute() -> Outcome:
            grant = self._grant(call)
            if grant is None:
                return _kept(draft.number)
            content, place = draft.content, (mark_of(draft.content), draft_of(draft.content))
            sending = Sending(uid, letter, draft.sender, lambda: unmarked(redated(content, call.now)), call.now, draft.key, *place)
            outcome = _outcome(self._delivery.send(sending, grant), is_quoting=True)
            try:
                self.clear_sent_drafts()
            except (OSError, sqlite3.Error):
                # It went out all the same. The next call takes it away before it looks for a draft.
                log.exception("a draft was sent, and could not be taken away")
            return outcome

        summary, lines = self._shown(letter)
        if draft.answers_go_to:
            lines = (*lines, ("Answers go to", ", ".join(draft.answers_go_to)))
        if draft.attachments:
            lines = (*lines, ("Attached", ", ".join(draft.attachments)))
        if self._delivery.is_unsettled(draft.key):
            lines = (*lines, ("Careful", MAY_BE_SENT))
        host = {"uid": uid, "version": draft.version}
        return Plan({"draft": f"d{draft.number}"}, summary, lines, execute, host=host, may_be_broken_off=True)

    def _shown(self, letter: Letter) -> tuple[str, tuple[tuple[str, str], ...]]:
        stays = (STAYS_HERE,) if self._delivery.is_local else ()
        lines = (("To", ", ".join(letter.to)), *stays, ("Subject", letter.subject), ("Text", letter.body))
        return f"Send {letter_text(letter.to, letter.subject, letter.body)}", lines

    def _grant(self, call: Call) -> Grant | None:
        """The call's grant; None when it comes from a client that has none to give.

        Raises:
            Refusal: it carries one that does not count.
        """
        if self._key is None or not call.grant:
            return None
        return check_grant(call.grant, key=self._key.get_secret_value(), digest=call.digest, now=self._clock())

    def _find(self, call: Call) -> _Draft:
        said = call.text("draft").strip().lower()
        keys = self._store.draft_numbers()
        match = _NUMBER.fullmatch(said)
        number = int(match[1]) if match else max(keys, default=0) if _LAST.fullmatch(said) else 0
        content = self._store.drafts.read(keys[number]) if number in keys else None
        if content is None:
            raise Refusal(no_draft_text(clean_line(call.text("draft")).replace('"', "")))
        return _Draft(number, keys[number], content)


def _sendable(draft: _Draft) -> Letter:
    """What the draft says, to people who can be written to.

    Raises:
        Refusal: there is nobody, or a person cannot be shown all of it.
    """
    letter = draft.letter
    if not letter.to:
        raise Refusal(f"Draft d{draft.number} has no recipient. Write it again with one.")
    if strange := [address for address in letter.to if not is_mailbox(address)]:
        said = shortened(strange[0], MAX_SAID_CHARS)
        raise Quoting(f'"{said}" in draft d{draft.number} is no address of one person. Write the draft again with one for each.')
    if not draft.is_shown_whole:
        raise Refusal(f"Draft d{draft.number} has something that cannot be shown whole. Send it with the program that made it.")
    return letter


def _letter_of(draft: bytes) -> Letter:
    parsed = parse(draft)
    to = tuple(dict.fromkeys(person.address for person in (*parsed.to, *parsed.cc, *parsed.bcc)))
    return Letter(to, parsed.subject, parsed.text)


def _key_of(uid: str) -> str:
    return hashlib.sha256(uid.encode()).hexdigest()[:32]


def _kept(number: int) -> Outcome:
    return Outcome(kept_text(number), {"sent": None, "draft": f"d{number}"})


def _outcome(letter: Letter, *, is_quoting: bool = False) -> Outcome:
    """`is_quoting`: it was written before, perhaps from what others wrote."""
    fields = {"to": list(letter.to), "subject": letter.subject, "body": letter.body}
    return Outcome(sent_text(letter.to, letter.subject, letter.body), {"sent": fields, "untrusted": is_quoting})
