"""A draft's two homes: the local folder, which the outbox sends from, and the drafts of its account, which a person sees elsewhere.

The local one comes first: what an account does not take is kept here all the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from mcp_servers.errors import Refusal
from mcp_servers.mailbox.accounts import AccountFailed, DraftingAccount
from mcp_servers.mailbox.mime import parse
from mcp_servers.mailbox.places import DRAFTS, TRASH
from mcp_servers.mailbox.store import MailStore
from mcp_servers.mailbox.thread_mark import unmarked


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
    try:
        marked = home.keep_draft(here, is_new=is_new)
    except AccountFailed as error:
        return Kept(number, problem=str(error))
    if marked != here:
        store.drafts.rewrite(key, marked)
    return Kept(number, account)


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
    problem = _dropped(store, content)
    # What is in the trash is no account's draft any more.
    store.drafts.rewrite(key, unmarked(content))
    store.move(mail, TRASH)
    return problem


def _dropped(store: MailStore, content: bytes) -> str:
    sender = parse(content).sender.address.lower()
    home = next((one for one in store.accounts if isinstance(one, DraftingAccount) and store.own_address(one.name).lower() == sender), None)
    if home is None:
        return ""
    try:
        return "" if home.drop_draft(content) else f"{home.name}: somebody has changed the draft there since. It stays there."
    except AccountFailed as error:
        return str(error)
