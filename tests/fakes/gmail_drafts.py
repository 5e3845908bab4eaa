"""What Gmail keeps of one person's drafts: each a name that stays, around a mail that is replaced whole, and gone once it is sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.fakes.google_calendars import Refused
from tests.fakes.google_description import Called

if TYPE_CHECKING:
    from tests.fakes.gmail_mailbox import FakeMailbox

Json = dict[str, Any]


@dataclass
class FakeDrafts:
    """Of one mailbox."""

    mailbox: FakeMailbox
    mails: dict[str, str] = field(default_factory=dict[str, str])
    """The id of its mail, by the draft's own."""

    def handlers(self) -> dict[str, Callable[[Called], Json]]:
        return {
            "gmail.users.drafts.create": self._create,
            "gmail.users.drafts.get": self._get,
            "gmail.users.drafts.list": self._list,
            "gmail.users.drafts.send": self._send,
            "gmail.users.drafts.delete": self._delete,
        }

    def add(self, raw: bytes) -> str:
        """A draft that is there; its name."""
        return self._named(self.mailbox.add(raw, "DRAFT").id)

    def _create(self, called: Called) -> Json:
        return self._shown(self._named(self.mailbox.compose(called.body.get("message") or {}, "DRAFT").id))

    def _named(self, mail: str) -> str:
        name = f"r-{len(self.mails) + len(self.mailbox.mails) + 7000000000000000000}"
        self.mails[name] = mail
        return name

    def _get(self, called: Called) -> Json:
        mail = self.mailbox.mails[self._found(called.path["id"])]
        return {"id": called.path["id"], "message": self.mailbox.shown(mail, called.query.get("format", "full"))}

    def _list(self, called: Called) -> Json:
        fitting = [
            name for name in reversed(self.mails) if self.mailbox.fits(self.mailbox.mails[self.mails[name]], called.query.get("q", ""))
        ]
        start = int(called.query.get("pageToken", 0))
        end = start + min(self.mailbox.page, called.query.get("maxResults", 100))
        page: Json = {"resultSizeEstimate": len(fitting)}
        if names := fitting[start:end]:
            page["drafts"] = [self._shown(name) for name in names]
        return {**page, **({"nextPageToken": str(end)} if end < len(fitting) else {})}

    def _send(self, called: Called) -> Json:
        name = str(called.body.get("id", ""))
        old = self.mailbox.mails[self._found(name)]
        message: Json = called.body.get("message") or {}
        if "raw" in message:
            sent = self.mailbox.compose(message, "SENT")
        else:
            self.mailbox.check_recipients(old.message)
            sent = self.mailbox.add(old.raw, "SENT", thread=old.thread)
        del self.mailbox.mails[self.mails.pop(name)]
        return {"id": sent.id, "threadId": sent.thread, "labelIds": ["SENT"]}

    def _delete(self, called: Called) -> Json:
        del self.mailbox.mails[self._found(called.path["id"])]
        del self.mails[called.path["id"]]
        return {}

    def _shown(self, name: str) -> Json:
        mail = self.mailbox.mails[self.mails[name]]
        return {"id": name, "message": {"id": mail.id, "threadId": mail.thread}}

    def _found(self, name: str) -> str:
        if name not in self.mails:
            raise Refused(404, "notFound")
        return self.mails[name]
