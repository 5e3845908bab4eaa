"""The mail tools: what a person asks of their mail, done on the local store.

Reading leaves no trace: a mail stays unread until a person has read it. Nothing here can send.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from mcp_servers.calls import Call, Handler, Outcome, Plan
from mcp_servers.errors import Refusal
from mcp_servers.letters import Letter, Person, default_subject, is_address, letter_text, one_line, reply_subject
from mcp_servers.mail import shape
from mcp_servers.mail.model import Draft, Mail
from mcp_servers.mail.tools import TOOLS
from mcp_servers.mailstore import Indexed, MailStore
from mcp_servers.mime import Parsed, compose, thread
from mcp_servers.people import recipients
from mcp_servers.quoting import clean_line, clean_text
from mcp_servers.when import resolve
from mcp_servers.wording import EMPTY_WORDS, holds, words_of

__all__ = ["TOOLS", "MailTools"]

MAX_LISTED = 100
"""More mails than this in one answer would choke a client; the text shows eight."""
_MAIL_WORDS = frozenset("mail mails email emails message messages letter newest latest last recent new one".split())
"""Words for mails in general: without any other, the newest is meant."""


class MailTools:
    """The tools over one store."""

    def __init__(self, store: MailStore) -> None:
        self._store = store

    def handlers(self) -> dict[str, Handler]:
        return {
            "search_mail": self.search_mail,
            "read_mail": self.read_mail,
            "draft_mail": self.draft_mail,
            "draft_reply": self.draft_reply,
        }

    def search_mail(self, call: Call) -> Outcome:
        found: Iterable[Indexed] = self._store.mails()
        if sender := _significant(call.text("sender")):
            found = _narrowed(found, sender, _sender_words)
        if query := _significant(call.text("query")):
            found = _narrowed(found, query, lambda mail: f"{_subject_words(mail)} {mail.text}")
        if call.text("when"):
            period = resolve(call.text("when"), call.now, "back").span
            found = [mail for mail in found if period.start <= mail.sent_at < period.end]
        if call.arguments.get("unread"):  # false asks for nothing: it is how a model says that it does not matter
            found = [mail for mail in found if mail.is_unread]
        mails = tuple(_listed(mail, call) for mail in found)
        fields = {"count": len(mails), "mails": [_fields(mail) for mail in mails[:MAX_LISTED]], "untrusted": True}
        return Outcome(shape.mails_text(mails), fields)

    def read_mail(self, call: Call) -> Outcome:
        indexed, parsed = self._find(call)
        mail = _whole(indexed, parsed, call)
        return Outcome(shape.mail_text(mail), {"mail": _whole_fields(mail), "untrusted": True})

    def draft_mail(self, call: Call) -> Plan:
        to = recipients(call.text("to"), self._store.people())
        body = clean_text(call.text("body"))
        subject = one_line(call.text("subject"), "subject") or default_subject(body)
        return self._plan(call, Letter(to, subject, body), {"to": ", ".join(to), "body": body, "subject": subject})

    def draft_reply(self, call: Call) -> Plan:
        indexed, parsed = self._find(call)
        to = tuple(person.address for person in parsed.reply_to or (parsed.sender,))
        if not all(is_address(address) for address in to):
            raise Refusal(f"Mail m{indexed.number} has no address to answer to. Give an address in a new draft.")
        references = parsed.references or ((parsed.in_reply_to,) if parsed.in_reply_to else ())
        body = clean_text(call.text("body"))
        letter = Letter(to, reply_subject(parsed.subject), body, parsed.message_id, references)
        return self._plan(call, letter, {"mail": f"m{indexed.number}", "body": body})

    def _plan(self, call: Call, letter: Letter, arguments: dict[str, str]) -> Plan:
        uid = call.host_text("uid") or str(uuid.uuid4())

        def execute() -> Outcome:
            content = compose(letter, sender=self._store.own_address(), message_id=f"<{_key(uid)}@variet.invalid>", at=call.now)
            draft = Draft(f"d{self._store.save_draft(content, key=_key(uid))}", letter.to, letter.subject, letter.body)
            fields: dict[str, Any] = {"id": draft.id, "to": list(draft.to), "subject": draft.subject, "body": draft.body}
            chain = thread(letter.references, letter.in_reply_to) if letter.in_reply_to else ()
            return Outcome(shape.draft_text(draft), {"draft": {**fields, "in_reply_to": letter.in_reply_to, "references": list(chain)}})

        lines = (("To", ", ".join(letter.to)), ("Subject", letter.subject), ("Text", letter.body))
        summary = f"Save a draft {letter_text(letter.to, letter.subject, letter.body)}"
        return Plan(arguments, summary, lines, execute, host={"uid": uid})

    def _find(self, call: Call) -> tuple[Indexed, Parsed]:
        """The mail with that id, else the newest whose sender or subject holds the words."""
        said = call.text("mail")
        mails = self._store.mails()
        number = said.strip().lower().removeprefix("#").removeprefix("m")
        by_id = [mail for mail in mails if number.isdecimal() and mail.number == int(number)]
        specific = tuple(word for word in _significant(said) if word not in _MAIL_WORDS)
        for mail in by_id or _narrowed(mails, specific, _subject_words):
            parsed = self._store.read(mail.key)
            if parsed is not None:
                return mail, parsed
        raise Refusal(shape.no_mail_text(clean_line(said).replace('"', "")))


def _significant(text: str) -> tuple[str, ...]:
    return tuple(word for word in words_of(text) if word not in EMPTY_WORDS)


def _narrowed(mails: Iterable[Indexed], wanted: tuple[str, ...], words: Callable[[Indexed], str]) -> list[Indexed]:
    """Those whose words hold all that are wanted; where none does, those that do with one slip of the pen forgiven."""
    listed = list(mails)
    return [mail for mail in listed if holds(words(mail), wanted)] or [
        mail for mail in listed if holds(words(mail), wanted, is_forgiving=True)
    ]


def _sender_words(mail: Indexed) -> str:
    return f"{mail.sender.name} {mail.sender.address}"


def _subject_words(mail: Indexed) -> str:
    return f"{mail.subject} {_sender_words(mail)}"


def _key(uid: str) -> str:
    """A draft's file name, the same for the same client-made id."""
    return hashlib.sha256(uid.encode()).hexdigest()[:32]


def _listed(mail: Indexed, call: Call) -> Mail:
    return Mail(f"m{mail.number}", mail.sender, mail.subject, mail.sent_at.astimezone(call.now.tzinfo), mail.is_unread)


def _whole(indexed: Indexed, parsed: Parsed, call: Call) -> Mail:
    return Mail(
        f"m{indexed.number}",
        parsed.sender,
        parsed.subject,
        parsed.sent_at.astimezone(call.now.tzinfo),
        indexed.is_unread,
        parsed.text,
        parsed.to,
        parsed.cc,
        parsed.reply_to[0] if parsed.reply_to else None,
        parsed.message_id,
        parsed.references,
        parsed.attachments,
    )


def _people(people: tuple[Person, ...]) -> list[dict[str, str]]:
    return [{"name": person.name, "address": person.address} for person in people]


def _fields(mail: Mail) -> dict[str, Any]:
    return {
        "id": mail.id,
        "from": _people((mail.sender,))[0],
        "subject": mail.subject,
        "sent_at": mail.sent_at.isoformat(),
        "unread": mail.is_unread,
    }


def _whole_fields(mail: Mail) -> dict[str, Any]:
    return {
        **_fields(mail),
        "to": _people(mail.to),
        "cc": _people(mail.cc),
        "reply_to": _people((mail.reply_to,))[0] if mail.reply_to else None,
        "message_id": mail.message_id,
        "references": list(mail.references),
        "attachments": list(mail.attachments),
        "text": mail.text,
    }
