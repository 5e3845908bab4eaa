"""A draft's two homes: the local folder, which the outbox sends from, and the drafts of its account, which a person sees elsewhere.

The local one comes first: what an account does not take is kept here all the same. Where it is not known whether an account took one,
because this process died or the answer was lost, it is looked for at the next use of a draft and never made a second time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from mcp_servers.errors import Refusal
from mcp_servers.mailbox.accounts import AccountFailed, DraftingAccount
from mcp_servers.mailbox.message.mime import parse
from mcp_servers.mailbox.places import DRAFTS, TRASH
from mcp_servers.mailbox.store import MailStore
from mcp_servers.mailbox.thread_mark import unmarked
from mcp_servers.mailbox.unplaced import Note, Unplaced

LATE_S = 600.0
"""What an account does not have by then of what it gave no answer to, it will not have any more."""


@dataclass(frozen=True)
class Kept:
    """Where a draft is."""

    number: int
    account: str = ""
    """Whose drafts it is among, too; empty for none."""
    problem: str = ""
    """Why it is not among them, in a sentence that begins with the account's name."""


def save(store: MailStore, content: bytes, *, key: str, account: str) -> Kept:
    """Keep a draft under a key; done twice, it is as done once.

    Args:
        store: whose drafts.
        content: of the draft.
        key: under which it is kept here.
        account: that it is from; empty for none.
    """
    is_new = key not in store.drafts.entries()
    number = store.save_draft(content, key=key)
    home = next((one for one in store.accounts if one.name == account), None)
    here = store.drafts.read(key)
    if not isinstance(home, DraftingAccount) or here is None:
        return Kept(number)
    unplaced = Unplaced(store.folder)
    unplaced.note(key, account, here)
    try:
        marked = home.keep_draft(here, is_new=is_new)
    except AccountFailed as error:
        return Kept(number, problem=str(error))
    if marked != here:
        store.drafts.rewrite(key, marked)
    unplaced.done(key)
    return Kept(number, account)


def taken_over(store: MailStore) -> tuple[str, ...]:
    """Look for the drafts of which it is not known whether their accounts have them, and take over those that do. Nothing is changed there.

    Returns:
        What is still open or was left there, in sentences that begin with the account's name.
    """
    return _settled(store, _left_there)


def cleared(store: MailStore) -> tuple[str, ...]:
    """The same, and what was sent or thrown away here since is taken from among its account's own."""
    return _settled(store, _taken_away)


def discard(store: MailStore, key: str) -> str:
    """Throw a draft away: to the trash here, and out of its account's own drafts.

    Returns:
        What is left of it elsewhere, in a sentence; empty for nothing.

    Raises:
        Refusal: it is gone.
    """
    content = store.drafts.read(key)
    mail = next((one for one in store.mails(DRAFTS, account=store.local.name) if one.key == key), None)
    if content is None or mail is None:
        raise Refusal("The draft is gone. Look again.")
    dropped = _dropped(store, content)
    if not dropped.is_open:
        Unplaced(store.folder).done(key)
    # What is in the trash is no account's draft any more.
    store.drafts.rewrite(key, unmarked(content))
    store.move(mail, TRASH)
    return dropped.said


class _Verdict(NamedTuple):
    said: str = ""
    is_open: bool = False


_Gone = Callable[[DraftingAccount, Note], _Verdict]


def _settled(store: MailStore, gone: _Gone) -> tuple[str, ...]:
    unplaced, said, silent = Unplaced(store.folder), list[str](), set[str]()
    for note in unplaced.waiting():
        home = next((one for one in store.accounts if one.name == note.account), None)
        if not isinstance(home, DraftingAccount) or note.account in silent:
            continue
        try:
            verdict = _looked_for(store, home, note, gone)
        except AccountFailed as error:
            verdict = _Verdict(str(error), is_open=True)
            silent.add(note.account)  # it is not waited for once more for each of its drafts
        if not verdict.is_open:
            unplaced.done(note.key)
        said += [verdict.said] if verdict.said else []
    return tuple(said)


def _looked_for(store: MailStore, home: DraftingAccount, note: Note, gone: _Gone) -> _Verdict:
    here = store.drafts.read(note.key)
    there = home.find_draft(here or note.content)
    if there is None:
        return _Verdict(is_open=note.age_s < LATE_S)
    if here is None:
        return gone(home, note)
    if there != here:
        store.drafts.rewrite(note.key, there)
    return _Verdict()


def _left_there(home: DraftingAccount, note: Note) -> _Verdict:
    what = f'{home.name}: the draft "{parse(note.content).subject}", which was sent or discarded here, is still among its drafts.'
    return _Verdict(f"{what} It is taken away when the next draft is saved or discarded.", is_open=True)


def _taken_away(home: DraftingAccount, note: Note) -> _Verdict:
    return _Verdict("" if home.drop_draft(note.content) else _changed_there_text(home.name))


def _dropped(store: MailStore, content: bytes) -> _Verdict:
    names = store.accounts_at(parse(content).sender.address)
    home = next((one for one in store.accounts if isinstance(one, DraftingAccount) and one.name in names), None)
    if home is None:
        return _Verdict()
    try:
        return _Verdict("" if home.drop_draft(content) else _changed_there_text(home.name))
    except AccountFailed as error:
        return _Verdict(str(error), is_open=True)


def _changed_there_text(account: str) -> str:
    return f"{account}: somebody has changed the draft there since. It stays there."
