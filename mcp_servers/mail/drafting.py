"""Letters that are saved as drafts: new ones, replies to one or to all, and mails that are passed on with their files."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from typing import Any

from mcp_servers.errors import Refusal
from mcp_servers.mail import shape
from mcp_servers.mail.model import Draft
from mcp_servers.mail.search import find
from mcp_servers.mailbox.draft_keeping import cleared, save
from mcp_servers.mailbox.maildir import MAX_MAIL_BYTES
from mcp_servers.mailbox.message.attachments import attachments_of
from mcp_servers.mailbox.message.blind_copies import without_blind_copies
from mcp_servers.mailbox.message.letters import Letter, default_subject, is_address, letter_text, one_line, reply_subject
from mcp_servers.mailbox.message.mime import Enclosure, Parsed, compose, parse, thread
from mcp_servers.mailbox.message.passing_on import enclosed, needs_whole, wire_bytes
from mcp_servers.mailbox.people import recipients
from mcp_servers.mailbox.store import Indexed, MailStore
from mcp_servers.mailbox.thread_mark import marked
from mcp_servers.outside.quoting import clean_text
from mcp_servers.protocol.calls import Call, Handler, Outcome, Plan

MAX_PASSED_ON_BYTES = 24_000_000
"""Of what goes with a mail, as it is on its way: most servers take no more than 25 MB of all of it."""
MAX_FILES = 100
"""Beside a mail that holds them all."""
SEAL_BROKEN = "Blind copies (Bcc) were taken out of a mail that is part of what somebody signed: that signature holds no more."


class Drafting:
    """The tools that write over one store. Nothing here sends."""

    def __init__(self, store: MailStore) -> None:
        self._store = store

    def handlers(self) -> dict[str, Handler]:
        return {
            "draft_mail": self.draft_mail,
            "draft_reply": self.draft_reply,
            "draft_reply_all": self.draft_reply_all,
            "draft_forward": self.draft_forward,
        }

    def draft_mail(self, call: Call) -> Plan:
        to = recipients(call.text("to"), self._store.people())
        body = clean_text(call.text("body"))
        subject = one_line(call.text("subject"), "subject") or default_subject(body)
        return self._plan(call, Letter(to, subject, body), {"to": ", ".join(to), "body": body, "subject": subject})

    def draft_reply(self, call: Call) -> Plan:
        mail, parsed = find(self._store, call.text("mail"))
        letter = self._reply(mail, parsed, clean_text(call.text("body")))
        return self._plan(call, letter, {"mail": f"m{mail.number}", "body": letter.body}, about=mail)

    def draft_reply_all(self, call: Call) -> Plan:
        mail, parsed = find(self._store, call.text("mail"))
        letter = self._reply(mail, parsed, clean_text(call.text("body")))
        own = {*self._store.own_addresses(mail.account), *(address.lower() for address in letter.to)}
        others = (person.address for person in (*parsed.to, *parsed.cc) if is_address(person.address))
        cc = tuple(dict.fromkeys(address for address in others if address.lower() not in own))
        everyone = Letter(letter.to, letter.subject, letter.body, letter.in_reply_to, letter.references, cc)
        return self._plan(call, everyone, {"mail": f"m{mail.number}", "body": letter.body}, about=mail)

    def draft_forward(self, call: Call) -> Plan:
        mail, _ = find(self._store, call.text("mail"))
        to = recipients(call.text("to"), self._store.people())
        body = clean_text(call.text("body"))
        whole = self._store.content(mail) or b""
        # Before anything is read of it: what the library takes for text may be a head to others.
        content, breaks_seal = without_blind_copies(whole)
        parsed = parse(content)
        files = [attachment.enclosure for attachment in attachments_of(content)]
        if needs_whole(content):
            original = enclosed(content, parsed.subject)
            # The files are in it, too; beside it they are for whoever's program does not open mails within mails.
            is_room = len(files) < MAX_FILES and wire_bytes([*files, original]) <= MAX_PASSED_ON_BYTES
            files = [*files, original] if is_room else [original]
        letter = Letter(to, shape.forward_subject(parsed.subject), shape.forwarded_text(body, parsed, call.now.tzinfo))
        # Of a larger mail only the beginning is read: its last file would go on cut off.
        if len(whole) >= MAX_MAIL_BYTES or wire_bytes(files) + len(letter.body.encode()) * 3 > MAX_PASSED_ON_BYTES:
            raise Refusal(f"m{mail.number} and its files are too big to be passed on. Send it with a mail program.")
        arguments = {"mail": f"m{mail.number}", "to": ", ".join(to), **({"body": body} if body else {})}
        return self._plan(call, letter, arguments, about=mail, files=files, careful=SEAL_BROKEN if breaks_seal else "")

    def _reply(self, mail: Indexed, parsed: Parsed, body: str) -> Letter:
        own = self._store.own_addresses(mail.account)
        # What goes on from a mail of one's own goes to whom that went to.
        is_own = not parsed.reply_to and parsed.sender.address.lower() in own
        others = [person for person in parsed.to if person.address.lower() not in own] if is_own else []
        to = tuple(dict.fromkeys(person.address for person in others or parsed.reply_to or (parsed.sender,)))
        if not all(is_address(address) for address in to):
            raise Refusal(f"Mail m{mail.number} has no address to answer to. Give an address in a new draft.")
        references = parsed.references or ((parsed.in_reply_to,) if parsed.in_reply_to else ())
        return Letter(to, reply_subject(parsed.subject), body, parsed.message_id, references)

    def _plan(
        self,
        call: Call,
        letter: Letter,
        arguments: dict[str, str],
        *,
        about: Indexed | None = None,
        files: Sequence[Enclosure] = (),
        careful: str = "",
    ) -> Plan:
        uid = call.host_text("uid") or str(uuid.uuid4())

        def execute() -> Outcome:
            sender = self._store.own_address(about.account if about else "")
            content = compose(letter, sender=sender, message_id=f"<{_key(uid)}@variet.invalid>", at=call.now, enclosures=files)
            content = marked(content, self._store.thread_of(about) if about and letter.in_reply_to else "")
            kept = save(self._store, content, key=_key(uid), account=self._store.own_account(about.account if about else ""))
            draft = Draft(f"d{kept.number}", letter.everyone, letter.subject, letter.body)
            failed = (kept.problem,) if kept.problem else ()
            # An account that gives no answer to this draft is not asked about others.
            others = (*((careful,) if careful else ()), *(() if failed else cleared(self._store)))
            found = {
                "draft": {**_fields(draft, letter, files), "account": kept.account},
                "problems": [*failed, *others],
                "untrusted": about is not None,
            }
            text = "\n".join([shape.with_problems(shape.draft_text(draft), failed), *others])
            return Outcome(text, found)

        lines = [("To", ", ".join(letter.to)), ("Cc", ", ".join(letter.cc)), ("Subject", letter.subject), ("Text", letter.body)]
        lines.append(("Attached", ", ".join(file.name for file in files)))
        lines.append(("Careful", careful))
        shown = tuple(line for line in lines if line[1] or line[0] not in ("Cc", "Attached", "Careful"))
        summary = f"Save a draft {letter_text(letter.everyone, letter.subject, letter.body)}"
        return Plan(arguments, summary, shown, execute, host={"uid": uid})


def _fields(draft: Draft, letter: Letter, files: Sequence[Enclosure]) -> dict[str, Any]:
    chain = thread(letter.references, letter.in_reply_to) if letter.in_reply_to else ()
    return {
        "id": draft.id,
        "to": list(letter.to),
        "cc": list(letter.cc),
        "subject": draft.subject,
        "body": draft.body,
        "in_reply_to": letter.in_reply_to,
        "references": list(chain),
        "attachments": [file.name for file in files],
    }


def _key(uid: str) -> str:
    """A draft's file name, the same for the same client-made id."""
    return hashlib.sha256(uid.encode()).hexdigest()[:32]
