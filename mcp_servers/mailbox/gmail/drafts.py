"""Drafts of a Gmail account: put there once, named by Gmail, and found again where the answer was lost.

What is kept here carries Gmail's name of the draft and Gmail's `Message-ID`, which Gmail puts in the place of ours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from email.message import EmailMessage
from typing import Any, cast

from mcp_servers.accounts.google_api import GoogleApi
from mcp_servers.accounts.google_faults import Missing, Unanswered
from mcp_servers.errors import Refusal
from mcp_servers.mailbox.gmail.words import MARK, PLAIN_BYTES, beyond_ascii, decoded, encoded, header_of
from mcp_servers.mailbox.message.mime import parse, quotable_id
from mcp_servers.mailbox.message.writing import with_headers
from mcp_servers.mailbox.thread_mark import draft_of, mark_of, unmarked, with_draft

Json = dict[str, Any]
ME = "me"
PAGE = 100
MAX_LOOKED = 200
"""Of the drafts written since, how many are looked through for one whose answer was lost: each costs 20 of a minute's 6000 units."""
MARGIN = timedelta(days=2)
"""A host's clock may be wrong, and Gmail goes by its own."""
_OURS = re.compile(r"<([0-9a-f]{32})@variet\.invalid>")
"""The id that a draft of ours has until Gmail puts another in its place."""
NOT_KNOWN = "It is not known whether the draft is at Gmail. Look there."


class GmailDrafts:
    """One account's. Not for use by two threads at once."""

    def __init__(self, api: GoogleApi) -> None:
        self._api = api

    def keep(self, content: bytes, *, is_new: bool) -> bytes:
        """Put a draft among them, unless it is there.

        Args:
            content: of the draft.
            is_new: it was never put there before; else it is looked for first.

        Returns:
            The same with what it takes to find it there again.

        Raises:
            Refusal: it is not there, or nobody knows; the sentence says which.
        """
        if draft_of(content):
            return content
        mail = parse(content)
        written_to = (person.address for person in (mail.sender, *mail.to, *mail.cc, *mail.bcc))
        if strange := beyond_ascii(written_to):
            raise Refusal(f"{strange} The draft is kept here alone. Write it with Gmail itself.")
        key = quotable_id(content).strip("<>").partition("@")[0]
        draft = None if is_new else self._found(key, content)
        return self._named(content, draft or self._put(content, key))

    def find(self, content: bytes) -> bytes | None:
        """The same for a draft that is there; None where it is not.

        Raises:
            Refusal: nobody knows.
        """
        if draft_of(content):
            return content
        draft = self._lost(content)
        return self._named(content, draft) if draft else None

    def drop(self, content: bytes) -> bool:
        """Delete a draft there; False where somebody wrote on it since: then it stays.

        Raises:
            Refusal: it was not deleted, or nobody knows; one that is gone is no reason.
        """
        draft, drafts = draft_of(content) or self._lost(content), self._api.methods.users().drafts()
        if not draft:
            return True
        try:
            there = self._api.ask(drafts.get(userId=ME, id=draft, format="raw", fields="message/raw"))
            if _words(decoded(str(cast("Json", there.get("message") or {}).get("raw", "")))) != _words(content):
                return False
            self._api.write(drafts.delete(userId=ME, id=draft))
        except Missing:
            return True
        return True

    def _put(self, content: bytes, key: str) -> str:
        def change(message: EmailMessage) -> None:
            del message[MARK]
            message[MARK] = key

        try:
            return self._made(with_headers(unmarked(content), change), mark_of(content))
        except Unanswered as error:
            try:
                found = self._found(key, content)
            except Refusal:
                raise Refusal(NOT_KNOWN) from error
            if found is None:
                raise
            return found

    def _made(self, content: bytes, thread: str) -> str:
        try:
            return str(self._asked(content, {"threadId": thread} if thread else {})["id"])
        except Missing:
            if not thread:
                raise
            # The conversation is gone: then it begins one of its own.
            return str(self._asked(content, {})["id"])

    def _asked(self, content: bytes, message: Json) -> Json:
        drafts = self._api.methods.users().drafts()
        if len(content) <= PLAIN_BYTES:
            return self._api.write(drafts.create(userId=ME, body={"message": {**message, "raw": encoded(content)}}, fields="id"))
        return self._api.upload_once(
            content, "message/rfc822", lambda file: drafts.create(userId=ME, body={"message": message}, media_body=file, fields="id")
        )

    def _lost(self, content: bytes) -> str | None:
        """Gmail's name of a draft of which we do not have it; none of a draft that never was one of ours."""
        ours = _OURS.fullmatch(quotable_id(content))
        return self._found(ours[1], content) if ours else None

    def _found(self, key: str, content: bytes) -> str | None:
        """The draft that carries the key; None where there is none.

        Raises:
            Refusal: nobody knows.
        """
        since, token, looked = int((parse(content).sent_at - MARGIN).timestamp()), "", 0
        asked = {"userId": ME, "maxResults": PAGE, "q": f"after:{max(0, since)}", "fields": "drafts(id,message/id),nextPageToken"}
        while True:
            request = self._api.methods.users().drafts().list(**asked, **({"pageToken": token} if token else {}))
            page = self._api.ask(request)
            drafts = [(str(one["id"]), str(one["message"]["id"])) for one in cast("list[Json]", page.get("drafts") or [])]
            if found := self._among(drafts, key):
                return found
            before, looked, token = token, looked + len(drafts), str(page.get("nextPageToken") or "")
            if not token:
                return None
            if looked >= MAX_LOOKED or token == before:
                raise Refusal(NOT_KNOWN)

    def _among(self, drafts: Sequence[tuple[str, str]], key: str) -> str | None:
        messages = self._api.methods.users().messages()
        asked = [messages.get(userId=ME, id=one, format="metadata", metadataHeaders=[MARK], fields="payload/headers") for _, one in drafts]
        is_known = True
        for (draft, _), one in zip(drafts, self._api.ask_all(asked), strict=True):
            if not isinstance(one, Refusal) and header_of(one, MARK) == key:
                return draft
            is_known = is_known and (not isinstance(one, Refusal) or isinstance(one, Missing))
        if not is_known:
            raise Refusal(NOT_KNOWN)
        return None

    def _named(self, content: bytes, draft: str) -> bytes:
        return with_draft(content, draft, self._message_id(draft))

    def _message_id(self, draft: str) -> str:
        """Gmail's own id of the mail; empty where it does not say: then the draft is only shown twice."""
        try:
            answer = self._api.ask(
                self._api.methods.users().drafts().get(userId=ME, id=draft, format="metadata", fields="message/payload/headers")
            )
        except Refusal:
            return ""
        return header_of(cast("Json", answer.get("message") or {}), "Message-ID")


def _words(content: bytes) -> tuple[object, ...]:
    """What a person would have changed of a draft: Gmail writes its headers anew."""
    mail = parse(content)
    return (mail.subject, mail.to, mail.cc, mail.bcc, mail.text.strip(), mail.attachments)
