"""A Gmail account as the way out: it is asked once, with a token that sends and reads nothing.

What Gmail refuses has not left. What it gave no answer to may have: then its sent mails are looked through, where a token for reading
was granted, for the id that we gave the mail, and for a line of ours in its head, because Gmail may put another id in its place. A mail
that is found there has left; one that is not found is unknown for good, since Gmail may be late. It is never sent a second time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from email.message import EmailMessage
from typing import Any, cast

from mcp_servers.accounts.failing import AccountUnusable
from mcp_servers.accounts.google_api import GoogleApi
from mcp_servers.accounts.google_faults import Missing, Service, Unanswered
from mcp_servers.errors import Refusal
from mcp_servers.mailbox.gmail.words import MARK, PLAIN_BYTES, beyond_ascii, encoded, header_of
from mcp_servers.mailbox.message.mime import people_of
from mcp_servers.mailbox.message.writing import header_of_people, with_headers
from mcp_servers.outbox.carriers import NotSent, Parcel, Unsure, sent_key
from mcp_servers.protocol import progress

Json = dict[str, Any]
ME = "me"
SENDING = Service("Gmail", "gmail", "v1", "batch", 50, "mail-read", "send")
COMPOSING = Service("Gmail", "gmail", "v1", "batch", 50, "mail-read", "compose")
"""To send what lies among the drafts there takes another right; nobody is asked for it before that happens."""
NO_DRAFT = "Gmail has this draft no more: it was sent or deleted there. Nothing was sent. Write it again."
LOOKS = 2
PAUSE_S = 3.0
"""Before each look: Gmail files a mail that has left a moment later."""
RECENT = 50
"""Of the sent mails, how many are looked through."""
RECENTLY = timedelta(days=2)


class GmailCarrier:
    """One account.

    Args:
        api: the account's own, of `SENDING`.
        drafts: the same of `COMPOSING`.
        wait: sleeps that many seconds.
        clock: epoch seconds.
    """

    def __init__(
        self, api: GoogleApi, drafts: GoogleApi, *, wait: Callable[[float], None] = time.sleep, clock: Callable[[], float] = time.time
    ) -> None:
        self._api = api
        self._drafts = drafts
        self._wait = wait
        self._clock = clock

    def carry(self, parcel: Parcel, *, on_leaving: Callable[[], None]) -> None:
        progress.whole(lambda: self._carry(parcel, on_leaving))

    def _carry(self, parcel: Parcel, on_leaving: Callable[[], None]) -> None:
        content = _marked(parcel)
        try:
            self._api.methods  # noqa: B018 - what is missing to ask at all is said before anything leaves
            on_leaving()
            if parcel.draft:
                self._sent_draft(content, parcel)
            else:
                self._sent(content, parcel.thread)
        except Unanswered as error:
            if not self._is_found(parcel.uid, LOOKS):
                raise Unsure(str(error)) from error
        except Refusal as refusal:
            raise NotSent(f"{self._api.account}: {str(refusal).removesuffix(' Nothing was done.')} Nothing was sent.") from refusal

    def was_carried(self, uid: str) -> bool | None:
        return True if self._is_found(uid, 1) else None

    def _sent(self, content: bytes, thread: str) -> None:
        try:
            self._asked(content, {"threadId": thread} if thread else {})
        except Missing:
            if not thread:
                raise
            # The conversation is gone, and nothing was sent: then it begins one of its own.
            self._asked(content, {})

    def _sent_draft(self, content: bytes, parcel: Parcel) -> None:
        """Send the draft with what was approved in the place of what it says now; Gmail takes it from the drafts in the same step."""
        message = {"threadId": parcel.thread} if parcel.thread else {}
        drafts = self._drafts.methods.users().drafts()
        try:
            if len(content) <= PLAIN_BYTES:
                body = {"id": parcel.draft, "message": {**message, "raw": encoded(content)}}
                self._drafts.write_once(drafts.send(userId=ME, body=body, fields="id"))
            else:
                body = {"id": parcel.draft, "message": message}
                self._drafts.upload_once(
                    content, "message/rfc822", lambda file: drafts.send(userId=ME, body=body, media_body=file, fields="id")
                )
        except Missing as error:
            raise NotSent(f"{self._api.account}: {NO_DRAFT}") from error

    def _asked(self, content: bytes, body: Json) -> None:
        messages = self._api.methods.users().messages()
        if len(content) <= PLAIN_BYTES:
            self._api.write_once(messages.send(userId=ME, body={**body, "raw": encoded(content)}, fields="id"))
        else:
            self._api.upload_once(content, "message/rfc822", lambda file: messages.send(userId=ME, body=body, media_body=file, fields="id"))

    def _is_found(self, uid: str, looks: int) -> bool:
        for _ in range(looks):
            self._wait(PAUSE_S)
            try:
                if self._is_among_sent(sent_key(uid)):
                    return True
            except AccountUnusable:
                return False  # without a token that reads nobody can look
            except Refusal:
                continue
        return False

    def _is_among_sent(self, key: str) -> bool:
        messages = self._api.methods.users().messages()
        if self._listed(f"rfc822msgid:{message_id_of(key)}", 1):
            return True
        since = int(self._clock() - RECENTLY.total_seconds())
        recent = self._listed(f"in:sent after:{since}", RECENT)
        asked = [messages.get(userId=ME, id=one, format="metadata", metadataHeaders=[MARK], fields="payload/headers") for one in recent]
        return any(key == header_of(answer, MARK) for answer in self._api.ask_all(asked) if not isinstance(answer, Refusal))

    def _listed(self, q: str, most: int) -> list[str]:
        request = self._api.methods.users().messages().list(userId=ME, q=q, maxResults=most, fields="messages/id")
        return [str(one["id"]) for one in cast("list[Json]", self._api.ask(request).get("messages") or [])]


def message_id_of(key: str) -> str:
    """The id that our mails have, as `rfc822msgid:` wants it."""
    return f"{key}@variet.invalid"


def _marked(parcel: Parcel) -> bytes:
    if strange := beyond_ascii((parcel.sender, *parcel.recipients)):
        raise NotSent(f"{strange} Nothing was sent. Send it with Gmail itself.")
    return with_headers(parcel.content, lambda message: _mark(message, parcel))


def _mark(message: EmailMessage, parcel: Parcel) -> None:
    del message[MARK], message["Message-ID"]
    people = {name: people_of(message, name) for name in ("To", "Cc")}
    # A draft has the id of when it was written; what it is looked for by is of this sending.
    written_to = {person.address for each in people.values() for person in each}
    if unasked := written_to - {*parcel.recipients}:
        raise NotSent(f"The mail names {', '.join(sorted(unasked))}, who was not approved. Nothing was sent. Write it again.")
    # In our own words: what another program wrote there Gmail might read otherwise than it was shown.
    for name, each in people.items():
        del message[name], message[f"Resent-{name}"]
        if each:
            message.set_raw(name, header_of_people(each))
    # Gmail goes by the head alone. Who is written to unseen stands in this line, which it does not pass on.
    del message["Bcc"]
    if unseen := [address for address in parcel.recipients if address not in written_to]:
        message["Bcc"] = ", ".join(unseen)
    message[MARK] = sent_key(parcel.uid)
    message["Message-ID"] = f"<{message_id_of(sent_key(parcel.uid))}>"
