"""What Gmail keeps of one person's mail: mails in threads with labels, a history that goes on, and a search in Gmail's words.

As it is said of the real one, it puts a `Message-ID` of its own on what is sent, unless a test says otherwise.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from email.utils import parseaddr, parsedate_to_datetime
from typing import Any, cast

from tests.fakes.gmail_drafts import FakeDrafts
from tests.fakes.google_calendars import Refused
from tests.fakes.google_description import Called

Json = dict[str, Any]
Shown = tuple[int, Json | None]
ME = "anna@example.org"
SYSTEM = ("INBOX", "SENT", "DRAFT", "TRASH", "SPAM", "UNREAD", "STARRED", "IMPORTANT")
_IN = {"inbox": "INBOX", "sent": "SENT", "drafts": "DRAFT", "trash": "TRASH", "spam": "SPAM", "chats": "CHAT"}
_TERM = re.compile(r'-?"[^"]*"|-?\S+')
MAX_PAGE = 500
MAX_MODIFIED = 1000
_NAME = r"[0-9a-f]{1,16}"


@dataclass
class FakeMail:
    id: str
    thread: str
    raw: bytes
    labels: set[str]

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=policy.default)

    @property
    def at_s(self) -> float:
        return parsedate_to_datetime(str(self.message["Date"])).timestamp()


@dataclass
class FakeMailbox:
    mails: dict[str, FakeMail] = field(default_factory=dict[str, FakeMail])
    labels: dict[str, str] = field(default_factory=lambda: {"Label_7": "Projects"})
    """The person's own, name by id."""
    page: int = MAX_PAGE
    """More is on no page."""
    history: int = 1000
    keeps_message_id: bool = False
    _made: int = 0
    _ids: int = 0

    def __post_init__(self) -> None:
        self.drafts = FakeDrafts(self)

    def add(self, raw: bytes, *labels: str, thread: str = "") -> FakeMail:
        """A mail that is there."""
        name = f"18c{self._ids:013x}"
        self._ids += 1
        self.mails[name] = mail = FakeMail(name, thread or name, raw, {*labels})
        self.history += 1
        return mail

    def sent(self) -> list[FakeMail]:
        return [mail for mail in self.mails.values() if "SENT" in mail.labels]

    def do(self, called: Called) -> Shown:
        """Raises:
        Refused: it is not done.
        """
        handlers: dict[str, Callable[[Called], Json | None]] = {
            "gmail.users.getProfile": self._profile,
            "gmail.users.labels.list": self._labels,
            "gmail.users.labels.create": self._label,
            "gmail.users.messages.list": self._list,
            "gmail.users.messages.get": self._get,
            "gmail.users.messages.modify": self._modify,
            "gmail.users.messages.batchModify": self._modify_all,
            "gmail.users.messages.trash": self._trash,
            "gmail.users.messages.send": self._send,
            "gmail.users.threads.get": self._thread,
            **self.drafts.handlers(),
        }
        if called.path["userId"] not in {"me", ME}:
            raise Refused(403, "forbidden")
        shown = handlers[called.method](called)
        return (200, shown) if shown is not None else (204, None)

    def _profile(self, _: Called) -> Json:
        return {"emailAddress": ME, "historyId": str(self.history), "messagesTotal": len(self.mails)}

    def _labels(self, _: Called) -> Json:
        system = [{"id": name, "name": name, "type": "system"} for name in SYSTEM]
        return {"labels": [*system, *({"id": name, "name": text, "type": "user"} for name, text in self.labels.items())]}

    def _label(self, called: Called) -> Json:
        name = str(called.body.get("name", ""))
        if not name or name.upper() in SYSTEM:
            raise Refused(400, "invalidArgument")
        if name.lower() in {one.lower() for one in self.labels.values()}:
            raise Refused(409, "aborted")
        self.labels[f"Label_{len(self.labels) + 20}"] = name
        self.history += 1
        return {"id": f"Label_{len(self.labels) + 19}", "name": name}

    def fits(self, mail: FakeMail, q: str) -> bool:
        return all(_fits(mail, term) for term in _TERM.findall(q))

    def _list(self, called: Called) -> Json:
        said = called.query
        wanted = said.get("labelIds", [])
        wanted = [wanted] if isinstance(wanted, str) else wanted
        if any(label not in {*SYSTEM, *self.labels} for label in wanted):
            raise Refused(400, "invalidArgument")
        terms = _TERM.findall(said.get("q", ""))
        hidden = set[str]() if said.get("includeSpamTrash") or "in:trash" in terms else {"TRASH", "SPAM"}
        found = [
            mail
            for mail in reversed(self.mails.values())
            if {*wanted} <= mail.labels and not hidden & mail.labels and all(_fits(mail, term) for term in terms)
        ]
        found.sort(key=lambda mail: mail.at_s, reverse=True)
        start = int(said.get("pageToken", 0))
        end = start + min(self.page, said.get("maxResults", 100), MAX_PAGE)
        listed = [{"id": mail.id, "threadId": mail.thread} for mail in found[start:end]]
        # Where there is nothing, Gmail leaves the list out.
        page: Json = {"resultSizeEstimate": len(found), **({"messages": listed} if listed else {})}
        return {**page, **({"nextPageToken": str(end)} if end < len(found) else {})}

    def _get(self, called: Called) -> Json:
        return self.shown(self._found(called.path["id"]), called.query.get("format", "full"), called.query.get("metadataHeaders"))

    def _thread(self, called: Called) -> Json:
        mails = [mail for mail in self.mails.values() if mail.thread == called.path["id"]]
        if not mails:
            raise Refused(404, "notFound")
        mails.sort(key=lambda mail: mail.at_s)
        return {"id": called.path["id"], "messages": [self.shown(mail, called.query.get("format", "full")) for mail in mails]}

    def shown(self, mail: FakeMail, form: str, only: Any = None) -> Json:
        shown: Json = {
            "id": mail.id, "threadId": mail.thread, "labelIds": sorted(mail.labels), "internalDate": str(int(mail.at_s * 1000)),
            "historyId": str(self.history),
        }  # fmt: skip
        if form == "raw":
            return {**shown, "raw": base64.urlsafe_b64encode(mail.raw).decode()}
        if form == "full":
            return {**shown, "payload": _part(mail.message, "")}
        if form == "metadata":
            names = {name.lower() for name in ([only] if isinstance(only, str) else only or [])}
            headers = [one for one in _headers(mail.message) if not names or one["name"].lower() in names]
            return {**shown, "payload": {"headers": headers}}
        return shown

    def _modify(self, called: Called) -> Json:
        mail = self._found(called.path["id"])
        self._relabel([mail], called.body)
        return self.shown(mail, "minimal")

    def _modify_all(self, called: Called) -> None:
        names = called.body.get("ids", [])
        if not 0 < len(names) <= MAX_MODIFIED or any(not re.fullmatch(_NAME, name) for name in names):
            raise Refused(400, "invalidArgument")
        # An id that it does not know it leaves out, and says nothing of it.
        self._relabel([self.mails[name] for name in names if name in self.mails], called.body)

    def _relabel(self, mails: list[FakeMail], body: Json) -> None:
        added, gone = {*body.get("addLabelIds", [])}, {*body.get("removeLabelIds", [])}
        if (added | gone) - {*SYSTEM, *self.labels} or (added | gone) & {"SENT", "DRAFT"} or added & gone:
            raise Refused(400, "invalidArgument")
        for mail in mails:
            mail.labels = (mail.labels - gone) | added
        self.history += 1

    def _trash(self, called: Called) -> Json:
        mail = self._found(called.path["id"])
        mail.labels = (mail.labels - {"INBOX", "SPAM"}) | {"TRASH"}
        self.history += 1
        return self.shown(mail, "minimal")

    def _send(self, called: Called) -> Json:
        mail = self.compose(called.body, "SENT")
        return {"id": mail.id, "threadId": mail.thread, "labelIds": ["SENT"]}

    def compose(self, written: Json, label: str) -> FakeMail:
        """A mail that is written here: a draft, or one that is sent.

        Raises:
            Refused: it is no mail, or nobody gets it.
        """
        try:
            raw = base64.b64decode(written["raw"].encode(), altchars=b"-_", validate=True)
        except (KeyError, binascii.Error) as error:
            raise Refused(400, "invalidArgument") from error
        message = message_from_bytes(raw, policy=policy.SMTP)
        if label == "SENT":
            self.check_recipients(message)
        if parseaddr(str(message["From"] or ""))[1].lower() != ME:
            del message["From"]
            message["From"] = ME
        if not self.keeps_message_id:
            del message["Message-ID"]
            message["Message-ID"] = f"<CA{self._made}@mail.gmail.com>"
            self._made += 1
        if not message["Date"]:
            message["Date"] = "Sat, 21 Nov 2026 09:15:00 +0100"
        return self.add(message.as_bytes(), label, thread=self._thread_for(written.get("threadId", ""), message))

    def check_recipients(self, message: EmailMessage) -> None:
        """Raises:
        Refused: nobody gets it.
        """
        if not any(message[name] for name in ("To", "Cc", "Bcc")):
            raise Refused(400, "invalidArgument")

    def _thread_for(self, thread: str, message: EmailMessage) -> str:
        """The thread that was named, if the mail is one of it by its headers and its subject."""
        others = [mail for mail in self.mails.values() if mail.thread == thread]
        if thread and not others:
            raise Refused(404, "notFound")
        named = str(message["References"] or "").split()
        subjects = {str(message["Subject"]), str(message["Subject"]).removeprefix("Re: ")}
        is_one = any(mail.message["Message-ID"] in named and str(mail.message["Subject"]) in subjects for mail in others)
        return thread if is_one else ""

    def _found(self, name: str) -> FakeMail:
        if not re.fullmatch(_NAME, name):
            raise Refused(400, "invalidArgument")
        if name not in self.mails:
            raise Refused(404, "notFound")
        return self.mails[name]


def _fits(mail: FakeMail, term: str) -> bool:
    if term.startswith("-"):
        return not _fits(mail, term[1:])
    name, colon, value = term.partition(":")
    message = mail.message
    match name if colon and not term.startswith('"') else "":
        case "in":
            return _IN[value] in mail.labels
        case "is":
            return value == "unread" and "UNREAD" in mail.labels
        case "from":
            return value.lower() in str(message["From"]).lower()
        case "after":
            return mail.at_s >= int(value)
        case "before":
            return mail.at_s < int(value)
        case "rfc822msgid":
            return str(message["Message-ID"]).strip("<>") == value.strip("<>")
        case _:
            # Whole words, as Gmail's are, and also those of attached files.
            text = " ".join([str(message["Subject"]), str(message["From"]), *(_text(part) for part in message.walk())])
            return bool(re.search(rf"(?<!\w){re.escape(term.strip(chr(34)).lower())}(?!\w)", text.lower()))


def _text(part: Message) -> str:
    content = part.get_payload(decode=True) if part.get_content_maintype() == "text" else b""
    return f"{part.get_filename() or ''} {content.decode('utf-8', 'replace') if isinstance(content, bytes) else ''}"


def _headers(message: Message) -> list[Json]:
    return [{"name": name, "value": str(value)} for name, value in message.raw_items()]


def _part(message: Message, number: str) -> Json:
    shown: Json = {
        "partId": number,
        "mimeType": message.get_content_type(),
        "filename": message.get_filename() or "",
        "headers": _headers(message),
    }
    if message.is_multipart():
        inner = cast("list[Message]", message.get_payload())
        prefix = f"{number}." if number else ""
        return {**shown, "body": {"size": 0}, "parts": [_part(one, f"{prefix}{index}") for index, one in enumerate(inner)]}
    content = cast("bytes", message.get_payload(decode=True) or b"")
    if message.get_filename():
        return {**shown, "body": {"size": len(content), "attachmentId": f"A{number}"}}
    return {**shown, "body": {"size": len(content), "data": base64.urlsafe_b64encode(content).decode()}}
