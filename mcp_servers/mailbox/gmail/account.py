"""A Gmail account: labels as folders, searched by Gmail itself, read without a trace, changed by labels alone.

What is where is asked anew only when Gmail says that something has changed since. Mails are read for the index in batches, and only so
many at once as a minute of Gmail's allowance holds. A change whose answer was lost is looked up and never sent a second time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

from mcp_servers.accounts.google_api import GoogleApi
from mcp_servers.accounts.google_faults import Missing, Service, Unanswered
from mcp_servers.errors import Quoting, Refusal
from mcp_servers.mailbox.accounts import HEADS_BOUND_S, AccountFailed, Done, Listing, NotAll
from mcp_servers.mailbox.gmail import words
from mcp_servers.mailbox.gmail.drafts import GmailDrafts
from mcp_servers.mailbox.gmail.several import GmailSeveral
from mcp_servers.mailbox.maildir import MAX_MAIL_BYTES
from mcp_servers.mailbox.places import ROLES, TRASH, UNREAD, Wanted

Json = dict[str, Any]
ME = "me"
PAGE = 500
"""More is on no page."""
MAX_LISTED = 2000
"""The newest of a folder; a search finds older ones, and what is left out of a list is said."""
MAX_FOUND = 500
HEADS_AT_ONCE = 200
"""Each costs 20 of the 6000 units that Gmail allows a person in a minute."""
GMAIL = Service("Gmail", "gmail", "v1", "batch", 50, "mail-read", "mail")


class GmailAccount:
    """One account; asked when it is needed, not before. Not for use by two threads at once.

    Args:
        api: the account's own.
        clock: seconds, for how long a look may take.
    """

    def __init__(self, api: GoogleApi, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._clock = clock
        self._known_at = ""
        """The place in Gmail's history up to which what is known holds."""
        self._labels: Mapping[str, str] | None = None
        self._listings: dict[str, Listing] = {}

    @property
    def name(self) -> str:
        return self._api.account

    def folders(self) -> tuple[str, ...]:
        with self._speaking():
            self._catch_up()
            return (*ROLES, words.SPAM, *self._own())

    def listing(self, folder: str) -> Listing:
        with self._speaking():
            self._catch_up()
            if folder not in self._listings:
                place = words.place_in(folder, self._own())
                self._listings[folder] = Listing() if place is None else self._listed(place, MAX_LISTED)
            return self._listings[folder]

    def search(self, folder: str, wanted: Wanted) -> Listing:
        with self._speaking():
            place = words.place_in(folder, self._own())
            return Listing() if place is None else self._listed(words.searched(place, wanted), MAX_FOUND)

    def related(self, key: str) -> Listing:
        thread = self.thread_of(key)
        if not thread:
            return Listing()
        with self._speaking():
            request = self._users.threads().get(userId=ME, id=thread, format="minimal", fields="messages(id,labelIds)")
            messages = cast("list[Json]", self._api.ask(request).get("messages") or [])
        newest_first = reversed([one for one in messages if not {"TRASH", "SPAM", "DRAFT"} & {*one.get("labelIds", ())}])
        return Listing({str(one["id"]): words.MARKS[UNREAD] in one.get("labelIds", ()) for one in newest_first})

    def thread_of(self, key: str) -> str:
        return str((self._minimal(key) or {}).get("threadId", ""))

    def heads(self, keys: Sequence[str], within_s: float = HEADS_BOUND_S) -> Iterator[tuple[str, bytes]]:
        give_up_at, read = self._clock() + within_s, 0
        wanted = list(keys[:HEADS_AT_ONCE])
        problem = ""
        for start in range(0, len(wanted), GMAIL.max_in_batch):
            if self._clock() >= give_up_at:
                break
            batch = wanted[start : start + GMAIL.max_in_batch]
            with self._speaking():
                answers = self._api.ask_all([self._get(key, "full", "id,payload") for key in batch], tries=2)
            for key, answer in zip(batch, answers, strict=True):
                if not isinstance(answer, Refusal):
                    yield key, words.head_of(answer)
                elif not isinstance(answer, Missing):
                    problem = str(answer)
                    continue
                read += 1
            if problem:
                break
        if read < len(keys):
            raise NotAll(f"{self.name}: {len(keys) - read} mails are not read yet. {problem or 'Ask again.'}")

    def read(self, key: str) -> bytes | None:
        with self._speaking():
            try:
                return words.decoded(str(self._api.ask(self._get(key, "raw", "raw")).get("raw", "")))[:MAX_MAIL_BYTES]
            except Missing:
                return None

    def folder_of(self, key: str) -> str | None:
        message = self._minimal(key)
        with self._speaking():
            return None if message is None else words.folder_among(message.get("labelIds", ()), self._own())

    def move(self, key: str, target: str) -> str:
        message = self._minimal(key)
        if message is None:
            raise Refusal("The mail is gone. Look again.")
        has = {*message.get("labelIds", ())}
        with self._speaking():
            own = self._own()
        self._check_move(has, target, own)
        source = words.folder_among(has, own)
        if target == TRASH:
            change = self._users.messages().trash(userId=ME, id=key, fields="id")
        else:
            change = self._users.messages().modify(userId=ME, id=key, body=words.relabelled(source, target, own), fields="id")
        self._change(change, lambda: self.folder_of(key) != source, "moved")
        return key

    def move_all(self, keys: Sequence[str], target: str) -> Mapping[str, Done]:
        self._known_at = ""
        with self._speaking():
            own = self._own()
            self._check_folder(target, own)
            return GmailSeveral(self._api).moved(keys, target, own)

    def keep_draft(self, content: bytes, *, is_new: bool) -> bytes:
        self._known_at = ""
        with self._speaking():
            return GmailDrafts(self._api).keep(content, is_new=is_new)

    def find_draft(self, content: bytes) -> bytes | None:
        with self._speaking():
            return GmailDrafts(self._api).find(content)

    def drop_draft(self, content: bytes) -> bool:
        self._known_at = ""
        with self._speaking():
            return GmailDrafts(self._api).drop(content)

    def labels(self, folder: str) -> tuple[str, ...]:
        del folder
        with self._speaking():
            self._catch_up()
            return (*words.MARKS, *self._own())

    def labels_of(self, key: str) -> tuple[str, ...] | None:
        message = self._minimal(key)
        with self._speaking():
            return None if message is None else words.labels_among(message.get("labelIds", ()), self._own())

    def relabel_all(self, keys: Sequence[str], added: Collection[str], removed: Collection[str]) -> Mapping[str, Done]:
        with self._speaking():
            change = self._labelling(added, removed)
            self._known_at = ""
            return GmailSeveral(self._api).changed(keys, change, "labelled")

    def relabel(self, key: str, added: Collection[str], removed: Collection[str]) -> None:
        with self._speaking():
            body = self._labelling(added, removed)
        change = self._users.messages().modify(userId=ME, id=key, body=body, fields="id")

        def was_made() -> bool:
            has = {*(self.labels_of(key) or ())}
            return {*added} <= has and not {*removed} & has

        self._change(change, was_made, "labelled")

    def _labelling(self, added: Collection[str], removed: Collection[str]) -> Json:
        """The change of labels that is asked for; those that are new are made."""
        known = {**words.MARKS, **self._own()}
        known |= {name: self._made(name) for name in added if name not in known}
        return {"addLabelIds": [known[name] for name in added], "removeLabelIds": [known[name] for name in removed if name in known]}

    def _made(self, label: str) -> str:
        self._known_at = ""
        body = {"name": label, "labelListVisibility": "labelShow", "messageListVisibility": "show"}
        try:
            return str(self._api.write(self._users.labels().create(userId=ME, body=body, fields="id"))["id"])
        finally:
            self._labels = None

    def _check_move(self, has: set[str], target: str, own: Mapping[str, str]) -> None:
        self._check_folder(target, own)
        if problem := words.why_not_moved(has, target):
            raise Refusal(problem)

    @staticmethod
    def _check_folder(target: str, own: Mapping[str, str]) -> None:
        if target not in (*ROLES, words.SPAM, *own):
            raise Quoting(f'There is no folder "{target}". There are {", ".join((*ROLES, words.SPAM, *own))}. Name one of them.')

    def _change(self, request: Any, was_made: Callable[[], bool], done: str) -> None:
        self._known_at = ""
        try:
            self._api.write(request)
        except Missing:
            raise Refusal("The mail is gone. Look again.") from None
        except Unanswered as error:
            if not self._settled(was_made, done):
                raise AccountFailed(f"{self.name}: {error} The mail was not {done}.") from error
        except Refusal as refusal:
            raise AccountFailed(f"{self.name}: {refusal}") from refusal

    def _settled(self, was_made: Callable[[], bool], done: str) -> bool:
        try:
            return was_made()
        except AccountFailed as error:
            raise AccountFailed(f"{self.name}: it is not known whether the mail was {done}. Look again.") from error

    def _minimal(self, key: str) -> Json | None:
        with self._speaking():
            try:
                return self._api.ask(self._get(key, "minimal", "id,threadId,labelIds"))
            except Missing:
                return None

    def _get(self, key: str, form: str, fields: str) -> Any:
        return self._users.messages().get(userId=ME, id=key, format=form, fields=fields)

    def _listed(self, place: Json, most: int) -> Listing:
        keys, left_out = self._ids(place, most)
        unread = {**place, "q": f"{place.get('q', '')} is:unread".strip()}
        is_unread = {*self._ids(unread, most)[0]} if keys else set[str]()
        return Listing({key: key in is_unread for key in keys}, left_out)

    def _ids(self, place: Json, most: int) -> tuple[list[str], int]:
        """The newest mails of a place, and about how many more there are."""
        found: dict[str, None] = {}
        asked = {**place, "userId": ME, "maxResults": min(PAGE, most), "fields": "messages/id,nextPageToken,resultSizeEstimate"}
        token, seen = "", set[str]()
        while True:
            page = self._api.ask(self._users.messages().list(**asked, **({"pageToken": token} if token else {})))
            found |= dict.fromkeys(str(one["id"]) for one in cast("list[Json]", page.get("messages") or []))
            seen.add(token)
            token = str(page.get("nextPageToken") or "")
            if not token:
                return list(found), 0
            if token in seen or len(found) >= most:
                return list(found)[:most], max(1, int(page.get("resultSizeEstimate") or 0) - most)

    def _catch_up(self) -> None:
        """Forget what was known if anything has changed since."""
        at = str(self._api.ask(self._users.getProfile(userId=ME, fields="historyId")).get("historyId", ""))
        if at != self._known_at or not at:
            self._listings, self._labels = {}, None
        # It is from before the question: what changes meanwhile is seen at the next look.
        self._known_at = at

    def _own(self) -> Mapping[str, str]:
        if self._labels is None:
            request = self._users.labels().list(userId=ME, fields="labels(id,name,type)")
            self._labels = words.own_labels(self._api.ask(request).get("labels") or [])
        return self._labels

    @property
    def _users(self) -> Any:
        return self._api.methods.users()

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        """What cannot be asked is said as any account says it.

        Raises:
            AccountFailed: no answer.
        """
        try:
            yield
        except Refusal as refusal:
            raise AccountFailed(f"{self.name}: {refusal}") from refusal
