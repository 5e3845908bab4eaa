"""A draft's two homes: the local folder, which the outbox sends from, and the drafts of its account, which a person sees elsewhere.

The local one comes first: what an account does not take is kept here all the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from mcp_servers.mailbox.accounts import AccountFailed, DraftingAccount
from mcp_servers.mailbox.store import MailStore


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
