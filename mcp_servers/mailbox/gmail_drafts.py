"""Drafts of a Gmail account: put there once, named by Gmail, and found again where the answer was lost.

What is kept here carries Gmail's name of the draft and Gmail's `Message-ID`, which Gmail puts in the place of ours.
"""

from __future__ import annotations

from email import message_from_bytes, policy
from typing import Any, cast

from mcp_servers.accounts.google_api import GoogleApi
from mcp_servers.accounts.google_faults import Missing, Unanswered
from mcp_servers.errors import Refusal
from mcp_servers.mailbox.gmail_words import MARK, PLAIN_BYTES, decoded, encoded, header_of
from mcp_servers.mailbox.mime import parse, quotable_id
from mcp_servers.mailbox.thread_mark import draft_of, mark_of, unmarked, with_draft

Json = dict[str, Any]
ME = "me"
RECENT = 20
"""Of the drafts, how many are looked through for one whose answer was lost."""
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
        key = quotable_id(content).strip("<>").partition("@")[0]
        draft = None if is_new else self._found(key)
        draft = draft or self._put(content, key)
        message_id = self._message_id(draft)
        return with_draft(content, draft, message_id)

    def drop(self, content: bytes) -> bool:
        """Delete a draft there; False where somebody wrote on it since: then it stays.

        Raises:
            Refusal: it was not deleted, or nobody knows; one that is gone is no reason.
        """
        draft, drafts = draft_of(content), self._api.methods.users().drafts()
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
        message = message_from_bytes(unmarked(content), policy=policy.SMTP)
        del message[MARK]
        message[MARK] = key
        try:
            return self._made(message.as_bytes(), mark_of(content))
        except Unanswered as error:
            try:
                found = self._found(key)
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

    def _found(self, key: str) -> str | None:
        users = self._api.methods.users()
        page = self._api.ask(users.drafts().list(userId=ME, maxResults=RECENT, fields="drafts(id,message/id)"))
        drafts = [(str(one["id"]), str(one["message"]["id"])) for one in cast("list[Json]", page.get("drafts") or [])]
        asked = [
            users.messages().get(userId=ME, id=message, format="metadata", metadataHeaders=[MARK], fields="payload/headers")
            for _, message in drafts
        ]
        answers = self._api.ask_all(asked)
        return next(
            (
                draft
                for (draft, _), one in zip(drafts, answers, strict=True)
                if not isinstance(one, Refusal) and header_of(one, MARK) == key
            ),
            None,
        )

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
