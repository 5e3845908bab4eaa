"""Several mails of a Gmail account changed in one request, and looked at before and afterwards: Gmail does not say what came of each.

It leaves out ids that it does not know without a word, and an answer that was lost says nothing at all. So what a mail has afterwards
decides, and nothing is asked for twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mcp_servers.accounts.google_api import GoogleApi
from mcp_servers.accounts.google_faults import Missing, Unanswered
from mcp_servers.errors import Refusal
from mcp_servers.mailbox.accounts import Done
from mcp_servers.mailbox.gmail import words
from mcp_servers.mailbox.places import TRASH

Json = dict[str, Any]
ME = "me"
GONE = "The mail is gone. Look again."


class GmailSeveral:
    """One account's mails, at most as many as Gmail changes at once (1,000)."""

    def __init__(self, api: GoogleApi) -> None:
        self._api = api

    def moved(self, keys: Sequence[str], target: str, own: Mapping[str, str]) -> dict[str, Done]:
        """Put mails into a folder.

        Args:
            keys: of the mails.
            target: the folder, which is there.
            own: the person's own labels, id by name.
        """
        done: dict[str, Done] = {}
        bodies: dict[str, Json] = {}
        together: dict[str, list[str]] = {}
        for key, labels in self._labels(keys).items():
            problem = str(labels) if isinstance(labels, Refusal) else words.why_not_moved(labels, target)
            if isinstance(labels, Refusal) or problem:
                done[key] = Done(problem=problem)
                continue
            # In the trash it keeps the labels of its own that it has, as where Gmail itself puts it there.
            body = words.relabelled(TRASH if target == TRASH else words.folder_among(labels, own), target, own)
            if words.is_relabelled(labels, body):
                done[key] = Done(key)
                continue
            bodies[str(body)] = body
            together.setdefault(str(body), []).append(key)
        for name, body in bodies.items():
            done |= self.changed(together[name], body, "moved")
        return done

    def changed(self, keys: Sequence[str], change: Json, what: str) -> dict[str, Done]:
        """Change the labels of mails.

        Args:
            keys: of the mails.
            change: `addLabelIds` and `removeLabelIds`.
            what: is done to them, such as `moved`.
        """
        failed: Refusal | None = None
        messages = self._api.methods.users().messages()
        try:
            self._api.write(messages.batchModify(userId=ME, body={"ids": list(keys), **change}))
        except Unanswered as error:
            failed = error
        except Refusal as error:
            return {key: Done(problem=self._said(str(error))) for key in keys}
        left = self._said(f"{failed or 'Gmail did not do it. Try again.'} The mail was not {what}.")
        unknown = self._said(f"it is not known whether the mail was {what}. Look again.")

        def told(key: str, labels: frozenset[str] | Refusal) -> Done:
            if isinstance(labels, Refusal):
                return Done(problem=GONE if isinstance(labels, Missing) else unknown)
            return Done(key) if words.is_relabelled(labels, change) else Done(problem=left)

        return {key: told(key, labels) for key, labels in self._labels(keys).items()}

    def _labels(self, keys: Sequence[str]) -> dict[str, frozenset[str] | Refusal]:
        """What each mail is labelled with, or why that is not known."""
        messages = self._api.methods.users().messages()
        asked = [messages.get(userId=ME, id=key, format="minimal", fields="id,labelIds") for key in keys]
        try:
            answers = self._api.ask_all(asked)
        except Refusal as error:
            answers = [error for _ in keys]
        return {key: self._read(answer) for key, answer in zip(keys, answers, strict=True)}

    def _read(self, answer: Json | Refusal) -> frozenset[str] | Refusal:
        if isinstance(answer, Missing):
            return Missing(GONE)
        if isinstance(answer, Refusal):
            return Refusal(self._said(str(answer)))
        return frozenset(map(str, answer.get("labelIds", ())))

    def _said(self, sentence: str) -> str:
        return f"{self._api.account}: {sentence}"
