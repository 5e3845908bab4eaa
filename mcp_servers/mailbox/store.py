"""The mail of one person: every account's folders behind one list, with short ids that never change.

Local folder: the inbox, `Drafts`, `Sent`, other folders, and the index. Drafts are always local, whoever they will be from; an account with
drafts of its own has them too. An account that gives no answer is left out and named in `problems`; the others are still there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from mcp_servers.errors import Refusal
from mcp_servers.files import private_folder
from mcp_servers.mailbox.accounts import AccountFailed, MailAccount, SearchingAccount
from mcp_servers.mailbox.index import MailIndex, Row, account_in, key_in, mail_ref
from mcp_servers.mailbox.local_account import LocalAccount
from mcp_servers.mailbox.looks import Look, look_at, look_into, side_by_side
from mcp_servers.mailbox.message.letters import Person
from mcp_servers.mailbox.message.mime import Parsed, parse
from mcp_servers.mailbox.moving import move_all
from mcp_servers.mailbox.people import distinct
from mcp_servers.mailbox.places import INBOX, LOCAL, TRASH, Wanted
from mcp_servers.mailbox.taking_in import Intake


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
    recipients: tuple[str, ...]
    account: str = LOCAL
    folder: str = INBOX
    message_id: str = ""
    references: tuple[str, ...] = ()
    is_found: bool = False
    """Its account's server says that it has the words that were wanted."""
    removed: Mapping[str, int] = field(default_factory=dict[str, int])
    """What was taken out of the subject and the sender's name, by kind."""


class MailStore:
    """Not for use by two threads at once; by two processes, yes.

    Args:
        folder: the local one, made when it is missing.
        accounts: others.
        addresses: whom each account's mails are from, by its name.
        senders: the accounts among those whose mails can leave, in the same order; where none is named, all are taken for such.
        clock: seconds, for how long reading may take.
    """

    def __init__(
        self,
        folder: Path,
        accounts: Sequence[MailAccount] = (),
        *,
        addresses: Mapping[str, str] | None = None,
        senders: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder = private_folder(folder)
        self._addresses = dict(addresses or {})
        self._senders = tuple(senders or self._addresses)
        self.local = LocalAccount(folder)
        self.inbox, self.drafts, self.sent = (self.local.maildir(name) for name in (INBOX, "Drafts", "Sent"))
        self.accounts: tuple[MailAccount, ...] = (self.local, *accounts)
        self.problems: tuple[str, ...] = ()
        """Who gave no answer at the last look, and why, in sentences that begin with the account's name."""
        self.left_out: tuple[str, ...] = ()
        """What it did not see of those that did, likewise."""
        self._index = MailIndex(folder / "index.sqlite")
        self._intake = Intake(self._index, clock)

    def close(self) -> None:
        self._index.close()

    def mails(self, *folders: str, account: str = "", wanted: Wanted | None = None) -> tuple[Indexed, ...]:
        """Everything in these folders (absent: the inbox) of every account or of one, newest first.

        Args:
            folders: by the names that a person sees.
            account: absent for all.
            wanted: what is searched for. It leaves nothing out; an account that searches by itself brings what it finds further back.
        """
        return self._indexed(self._look(folders or (INBOX,), self.named(account), wanted))

    def related(self, mail: Indexed) -> tuple[Indexed, ...] | None:
        """The conversation of a mail as its account knows it, newest first; None where the account knows no conversations."""
        account = self.named(mail.account)[0]
        if not isinstance(account, SearchingAccount):
            return None
        try:
            look = Look(account, mail.folder, account.related(mail.key))
        except AccountFailed as error:
            raise error.refusal() from error
        self.problems, self.left_out = (), ()
        return self._indexed([look])

    def thread_of(self, mail: Indexed) -> str:
        """The account's own name of a mail's conversation; empty where it has none.

        Raises:
            Refusal: its account gives no answer.
        """
        account = self.named(mail.account)[0]
        try:
            return account.thread_of(mail.key) if isinstance(account, SearchingAccount) else ""
        except AccountFailed as error:
            raise error.refusal() from error

    def _indexed(self, looks: Sequence[Look]) -> tuple[Indexed, ...]:
        missed = self._intake.take_in(looks)
        self.problems, self.left_out = (*self.problems, *missed.problems), (*self.left_out, *missed.left_out)
        places = {mail_ref(look.account.name, key): (look, key) for look in looks for key in look.unread}
        found = [_indexed(row, *places[row.ref]) for row in self._index.rows(places)]
        return tuple(sorted(found, key=lambda mail: (mail.sent_at, mail.number), reverse=True))

    def holding(self, mails: Collection[Indexed], wanted: tuple[str, ...]) -> list[Indexed]:
        """Those whose subject, sender and text hold every wanted word; where none does, those that do with one slip of the pen forgiven."""
        refs = {mail_ref(mail.account, mail.key): mail for mail in mails}
        held = self._index.holding(refs, wanted)
        strict = [mail for ref, mail in refs.items() if mail.is_found or ref in held]
        if strict:
            return strict
        forgiven = self._index.holding(refs, wanted, is_forgiving=True)
        return [mail for ref, mail in refs.items() if ref in forgiven]

    def mail(self, number: int) -> Indexed | None:
        """The mail of that number, wherever it is; None when there is none any more.

        Raises:
            Refusal: its account gives no answer.
        """
        return self.known([number]).get(number)

    def known(self, numbers: Collection[int]) -> dict[int, Indexed]:
        """Those of these mails that are there, wherever they are; nothing else is looked at.

        Raises:
            Refusal: an account that has one of them gives no answer.
        """
        of_accounts: dict[str, list[str]] = {}
        for ref in filter(None, map(self._index.ref_of, numbers)):
            of_accounts.setdefault(account_in(ref), []).append(key_in(ref))
        own = [(one, of_accounts[one.name]) for one in self.accounts if one.name in of_accounts]
        try:
            looks = [look for found in side_by_side(lambda pair: look_at(*pair), own) for look in found]
        except AccountFailed as error:
            raise error.refusal() from error
        self.problems, self.left_out = (), ()
        return {mail.number: mail for mail in self._indexed(looks)}

    def people(self) -> tuple[Person, ...]:
        """Who has written, the newest first; to other accounts, as far as the index knows: whom a name means must not wait for a server."""
        local = [mail.sender for mail in self.mails(account=LOCAL)]
        return distinct([*local, *self._index.senders_elsewhere()])

    def own_address(self, account: str = "") -> str:
        """The address that a mail is from: that of its account, else whom most local mails came to; or none."""
        if self._addresses:
            return self._addresses[self.own_account(account)]
        counts: dict[str, int] = {}
        for mail in self.mails(account=LOCAL):
            for address in mail.recipients:
                counts[address] = counts.get(address, 0) + 1
        return max(counts, key=lambda address: (counts[address], address), default="")

    def own_addresses(self, account: str = "") -> frozenset[str]:
        """Every address of the person, in lower case."""
        found = (*self._addresses.values(), self.own_address(account))
        return frozenset(address.lower() for address in found if address)

    def own_account(self, account: str = "") -> str:
        """The account that a mail is from: this one if its mails can leave, else the first whose can; or none."""
        return account if account in self._senders else next(iter(self._senders), "")

    def accounts_at(self, address: str) -> tuple[str, ...]:
        """The accounts whose mails are from this address."""
        return tuple(name for name, own in self._addresses.items() if own.lower() == address.lower())

    def content(self, mail: Indexed) -> bytes | None:
        """The mail itself; None when it is gone.

        Raises:
            Refusal: its account gives no answer.
        """
        try:
            return self.named(mail.account)[0].read(mail.key)
        except AccountFailed as error:
            raise error.refusal() from error

    def read(self, mail: Indexed) -> Parsed | None:
        """What the mail says; None when it is gone."""
        content = self.content(mail)
        return None if content is None else parse(content)

    def move(self, mail: Indexed, folder: str) -> Indexed:
        """Put a mail into another folder of its account; it keeps its number.

        Raises:
            Refusal: it or the folder is not there, or the account gives no answer.
        """
        account = self.named(mail.account)[0]
        if folder == TRASH and mail.folder != TRASH:
            self._index.note_origin(mail_ref(mail.account, mail.key), mail.folder)
        try:
            key = account.move(mail.key, folder)
        except AccountFailed as error:
            raise error.refusal() from error
        if not key:  # it is there, and its account does not say under which key: the next look finds it, as a mail that is new
            self._index.forget([mail_ref(mail.account, mail.key)])
            return replace(mail, folder=folder)
        self._index.rename(mail_ref(mail.account, mail.key), mail_ref(mail.account, key))
        moved = self.mail(mail.number)
        if moved is None:
            raise Refusal("The mail is gone. Look again.")
        return moved

    def move_all(self, mails: Sequence[Indexed], folder: str) -> dict[int, Indexed | str]:
        """Put mails into another folder, each of its own account: by its number the mail as it is then, or why it was not moved."""
        found: dict[int, Indexed | str] = {}
        for name in dict.fromkeys(mail.account for mail in mails):
            own = {mail.key: mail for mail in mails if mail.account == name}
            done = move_all(self._index, self.named(name)[0], {key: mail.folder for key, mail in own.items()}, folder)
            found |= {own[key].number: one.problem or replace(own[key], key=one.key or key, folder=folder) for key, one in done.items()}
        return found

    def origin(self, mail: Indexed) -> str:
        """Where a mail was before it went to the trash; the inbox where nobody knows."""
        return self._index.origin(mail_ref(mail.account, mail.key)) or INBOX

    def folders(self, account: str = "") -> list[tuple[str, str]]:
        """Account and name of every folder."""
        found: list[tuple[str, str]] = []
        self.problems = ()
        for one in self.named(account):
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

    def named(self, account: str) -> tuple[MailAccount, ...]:
        """The account of that name; all of them for no name.

        Raises:
            Refusal: there is none.
        """
        if not account:
            return self.accounts
        found = tuple(one for one in self.accounts if one.name == account)
        if not found:
            raise Refusal(
                f'There is no mail account "{account}". There are {", ".join(one.name for one in self.accounts)}. Name one of them.'
            )
        return found

    def _look(self, folders: Sequence[str], accounts: tuple[MailAccount, ...], wanted: Wanted | None = None) -> list[Look]:
        looks = side_by_side(lambda account: look_into(account, folders, wanted), accounts)
        found = [one for answers in looks for one in answers]
        self.problems = tuple(one.problem for one in found if one.problem)
        self.left_out = tuple(one.left_out for one in found if one.left_out)
        return found


def _indexed(row: Row, look: Look, key: str) -> Indexed:
    return Indexed(
        row.number, key, row.sender, row.subject, row.sent_at, look.unread[key], row.recipients, look.account.name,
        look.folder, row.message_id, row.references, look.found is not None and key in look.found.unread,
        row.removed,
    )  # fmt: skip
