"""The mail tools: what a person asks of their mail, done over all accounts.

Reading leaves no trace: a mail stays unread until a person has read it. Nothing here can send.
"""

from __future__ import annotations

from typing import Any

from mcp_servers.mail import shape
from mcp_servers.mail.conversations import BUDGET_CHARS, Conversations, cursor_of
from mcp_servers.mail.drafting import Drafting
from mcp_servers.mail.drafts import Drafts
from mcp_servers.mail.fields import fields, listed, quote, removed_of, whole, whole_fields
from mcp_servers.mail.files import Files
from mcp_servers.mail.filing import Filing
from mcp_servers.mail.labelling import Labelling
from mcp_servers.mail.search import filtered, find, wanted_by
from mcp_servers.mail.tools import TOOLS
from mcp_servers.mailbox.store import MailStore
from mcp_servers.outside.quotes import part
from mcp_servers.outside.quoting import count_text
from mcp_servers.protocol.calls import Call, Handler, Outcome

__all__ = ["TOOLS", "MailTools"]

MAX_LISTED = 100
"""More mails than this in one answer would choke a client; the text shows eight."""


class MailTools:
    """The tools over one store: here the two that every model is shown for reading, and the others beside it."""

    def __init__(self, store: MailStore) -> None:
        self._store = store
        self._drafting = Drafting(store)
        self.draft_mail, self.draft_reply = self._drafting.draft_mail, self._drafting.draft_reply

    def handlers(self) -> dict[str, Handler]:
        store = self._store
        others = (self._drafting, Conversations(store), Files(store), Filing(store), Labelling(store), Drafts(store))
        beside = {name: handler for one in others for name, handler in one.handlers().items()}
        return {"search_mail": self.search_mail, "read_mail": self.read_mail, **beside}

    def search_mail(self, call: Call) -> Outcome:
        kept = filtered(self._store, self._store.mails(wanted=wanted_by(call)), call)
        mails = tuple(listed(mail, call.now) for mail in kept)
        problems, left_out = self._store.problems, self._store.left_out
        found: dict[str, Any] = {"count": len(mails), "mails": [fields(mail) for mail in mails[:MAX_LISTED]], "untrusted": True}
        if len(mails) > MAX_LISTED:
            left_out = (
                *left_out,
                f"Not told one by one: {count_text(len(mails) - MAX_LISTED, 'more mail')}. find_mails shows all in pages.",
            )
        said = {"problems": list(problems), "left_out": list(left_out), "removed": removed_of(kept[:MAX_LISTED])}
        text = "\n".join([shape.mails_text(mails), *left_out])
        return Outcome(shape.with_problems(text, problems), {**found, **said})

    def read_mail(self, call: Call) -> Outcome:
        indexed, parsed = find(self._store, call.text("mail"))
        mail = whole(indexed, parsed, call.now)
        quoted = part(quote(mail, parsed, call.now), 0, BUDGET_CHARS)
        left = len(mail.text) - len(quoted.text)
        found: dict[str, Any] = {"mail": {**whole_fields(mail), "text": quoted.text}, "quoted": quoted.fields(), "left": left}
        cursor = cursor_of(mail, BUDGET_CHARS) if left else ""
        text, unseen = shape.mail_text(mail), len(mail.text) - shape.MAX_TEXT_CHARS
        if unseen > 0 and call.lists_extended:
            text = f"{text}\n{shape.more_text(unseen, cursor_of(mail, shape.MAX_TEXT_CHARS))}"
        return Outcome(text, {**found, "cursor": cursor, "untrusted": True})
