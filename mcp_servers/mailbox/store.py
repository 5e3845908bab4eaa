"""The mail of one person: every account's folders behind one list, with short ids that never change.

Local folder: `Inbox` (or the folder itself, when it is a Maildir), `Drafts`, `Sent`, other folders, and the index. Drafts are always
local, whoever they will be from. An account that gives no answer is left out and named in `problems`; the others are still there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mcp_servers.errors import Refusal
from mcp_servers.files import private_folder
from mcp_servers.mailbox.accounts import INBOX, LOCAL, TRASH, AccountFailed, Listing, LocalAccount, MailAccount, NotAll
from mcp_servers.mailbox.index import MailIndex, Row
from mcp_servers.mailbox.letters import Person
from mcp_servers.mailbox.mime import Parsed, parse
from mcp_servers.mailbox.people import distinct


@dataclass(frozen=True)
class Indexed:
    """One mail that is there now."""

    number: int
    key: str
    """Its account's own."""
    sender: Person
    subject: str
    sent_at: datetime
    is_unread: bool
    text: str
    recipients: tuple[str, ...]
    account: str = LOCAL
    folder: str = INBOX
    message_id: str = ""
    references: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Look:
    """What one account answered about one folder."""

    account: MailAccount
    folder: str
    listing: Listing
    problem: str = ""


class MailStore:
    """Not for use by two threads at once; by two processes, yes.

    Args:
        folder: the local one, made when it is missing.
        accounts: others.
        addresses: whom each account's mails are from, by its name; the first one's where no account is named.
    """

    def __init__(self, folder: Path, accounts: Sequence[MailAccount] = (), *, addresses: Mapping[str, str] | None = None) -> None:
        private_folder(folder)
        self._addresses = dict(addresses or {})
        self.local = LocalAccount(folder)
        self.inbox, self.drafts, self.sent = (self.local.maildir(name) for name in (INBOX, "Drafts", "Sent"))
        self.accounts: tuple[MailAccount, ...] = (self.local, *accounts)
        self.problems: tuple[str, ...] = ()
        """Who gave no answer at the last look, and why, in sentences that begin with the account's name."""
        self.left_out: tuple[str, ...] = ()
        """What it did not see of those that did, likewise."""
        self._index = MailIndex(folder / "index.sqlite")

    def close(self) -> None:
        self._index.close()

    def mails(self, *folders: str, account: str = "") -> tuple[Indexed, ...]:
        """Everything in these folders (absent: the inbox) of every account or of one, newest first."""
        looks = self._look(folders or (INBOX,), self._named(account))
        for one in looks:
            self._index_new(one)
        places = {_ref(look.account.name, key): (look, key, is_unread) for look in looks for key, is_unread in look.listing.unread.items()}
        found = [_indexed(row, *places[row.ref]) for row in self._index.rows(places)]
        return tuple(sorted(found, key=lambda mail: (mail.sent_at, mail.number), reverse=True))

    def mail(self, number: int) -> Indexed | None:
        """The mail of that number, wherever it is; None when there is none any more.

        Raises:
            Refusal: its account gives no answer.
        """
        ref = self._index.ref_of(number)
        if ref is None:
            return None
        account, key = self._place(ref)
        try:
            folder = account.folder_of(key) if account is not None else None
        except AccountFailed as error:
            raise Refusal(str(error)) from error
        if account is None or folder is None:
            return None
        return next((mail for mail in self.mails(folder, account=account.name) if mail.number == number), None)

    def people(self) -> tuple[Person, ...]:
        """Who has written, the newest first; to other accounts, as far as the index knows: whom a name means must not wait for a server."""
        local = [mail.sender for mail in self.mails(account=LOCAL)]
        return distinct([*local, *self._index.senders_elsewhere()])

    def own_address(self, account: str = "") -> str:
        """The address that a mail is from: the account's own, else the first one's, else whom most local mails came to; or none."""
        if self._addresses:
            return self._addresses.get(account) or next(iter(self._addresses.values()))
        counts: dict[str, int] = {}
        for mail in self.mails(account=LOCAL):
            for address in mail.recipients:
                counts[address] = counts.get(address, 0) + 1
        return max(counts, key=lambda address: (counts[address], address), default="")

    def content(self, mail: Indexed) -> bytes | None:
        """The mail itself; None when it is gone.

        Raises:
            Refusal: its account gives no answer.
        """
        try:
            return self._named(mail.account)[0].read(mail.key)
        except AccountFailed as error:
            raise Refusal(str(error)) from error

    def read(self, mail: Indexed) -> Parsed | None:
        """What the mail says; None when it is gone."""
        content = self.content(mail)
        return None if content is None else parse(content)

    def move(self, mail: Indexed, folder: str) -> Indexed:
        """Put a mail into another folder of its account; it keeps its number.

        Raises:
            Refusal: it or the folder is not there, or the account gives no answer.
        """
        account = self._named(mail.account)[0]
        if folder == TRASH and mail.folder != TRASH:
            self._index.note_origin(_ref(mail.account, mail.key), mail.folder)
        try:
            key = account.move(mail.key, folder)
        except AccountFailed as error:
            raise Refusal(str(error)) from error
        self._index.rename(_ref(mail.account, mail.key), _ref(mail.account, key))
        moved = self.mail(mail.number)
        if moved is None:
            raise Refusal("The mail is gone. Look again.")
        return moved

    def origin(self, mail: Indexed) -> str:
        """Where a mail was before it went to the trash; the inbox where nobody knows."""
        return self._index.origin(_ref(mail.account, mail.key)) or INBOX

    def folders(self, account: str = "") -> list[tuple[str, str]]:
        """Account and name of every folder."""
        found: list[tuple[str, str]] = []
        self.problems = ()
        for one in self._named(account):
            try:
                found += [(one.name, folder) for folder in one.folders()]
            except AccountFailed as error:
                self.problems = (*self.problems, str(error))
        return found

    def draft_numbers(self) -> dict[int, str]:
        """Number -> key of the drafts that are there, in the order in which they were first seen."""
        return self._index.draft_numbers(self.drafts.entries())

    def save_draft(self, content: bytes, *, key: str) -> int:
        """Keep a draft under a key; one that is there already stays as it is.

        Returns:
            Its number.
        """
        key = self.drafts.add(content, key=key, flags="DS")
        return next(number for number, known in self.draft_numbers().items() if known == key)

    def _named(self, account: str) -> tuple[MailAccount, ...]:
        if not account:
            return self.accounts
        found = tuple(one for one in self.accounts if one.name == account)
        if not found:
            raise Refusal(f'There is no mail account "{account}". There are {", ".join(one.name for one in self.accounts)}.')
        return found

    def _place(self, ref: str) -> tuple[MailAccount | None, str]:
        name, has_account, key = ref.partition("/")
        if not has_account:
            return self.local, ref
        return next((account for account in self.accounts[1:] if account.name == name), None), key

    def _look(self, folders: Sequence[str], accounts: tuple[MailAccount, ...]) -> list[_Look]:
        def look(account: MailAccount) -> list[_Look]:
            try:
                return [_Look(account, folder, account.listing(folder)) for folder in folders]
            except AccountFailed as error:
                return [_Look(account, "", Listing(), str(error))]

        if len(accounts) == 1:
            looks = [look(accounts[0])]
        else:
            with ThreadPoolExecutor(len(accounts)) as pool:
                looks = list(pool.map(look, accounts))
        found = [one for answers in looks for one in answers]
        self.problems = tuple(one.problem for one in found if one.problem)
        partial = [one for one in found if one.listing.left_out]
        self.left_out = tuple(
            f"{one.account.name}: {one.listing.left_out} older mails of {one.folder} are not searched." for one in partial
        )
        return found

    def _index_new(self, look: _Look) -> None:
        name = look.account.name
        refs = {_ref(name, key): key for key in look.listing.unread}
        unknown = frozenset(self._index.missing(refs))
        missing = [key for ref, key in refs.items() if ref in unknown]  # in the account's own order
        if not missing:
            return
        read: list[tuple[str, Parsed]] = []
        try:
            for key, content in look.account.heads(missing):
                read.append((_ref(name, key), parse(content)))
        except NotAll as error:
            self.left_out = (*self.left_out, str(error))
        except AccountFailed as error:
            self.problems = (*self.problems, str(error))
        # What was read before it stopped is kept: the next look goes on from there.
        self._index.add(read)


def _ref(account: str, key: str) -> str:
    return key if account == LOCAL else f"{account}/{key}"


def _indexed(row: Row, look: _Look, key: str, is_unread: bool) -> Indexed:  # noqa: FBT001 - a place's own fact
    return Indexed(
        row.number, key, row.sender, row.subject, row.sent_at, is_unread, row.text, row.recipients,
        look.account.name, look.folder, row.message_id, row.references,
    )  # fmt: skip
