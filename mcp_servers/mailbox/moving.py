"""Mails that change their folder or their labels, one or several of an account: what came of each, and the number that each keeps.

Several go as one request where the account can do that, and else one after the other. What one of them is refused harms no other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from mcp_servers.errors import Refusal
from mcp_servers.mailbox.accounts import AccountFailed, BatchingAccount, Done, LabellingAccount, MailAccount
from mcp_servers.mailbox.index import MailIndex, mail_ref
from mcp_servers.mailbox.places import TRASH

NO_WORD = "Its account says nothing of it. Look again."


def move_all(index: MailIndex, account: MailAccount, sources: Mapping[str, str], target: str) -> dict[str, Done]:
    """Put mails into another folder, and remember them under the keys that they have there.

    Args:
        index: where they are remembered.
        account: whose they are.
        sources: the folder of each, by key.
        target: the other folder.
    """
    for key, source in sources.items():
        if target == TRASH and source != TRASH:
            index.note_origin(mail_ref(account.name, key), source)
    done = _moved(account, tuple(sources), target)
    for key, one in done.items():
        if one.problem:
            continue
        if one.key:
            index.rename(mail_ref(account.name, key), mail_ref(account.name, one.key))
            index.place({mail_ref(account.name, one.key): target})
        else:
            index.forget([mail_ref(account.name, key)])
    return done


def relabel_all(account: LabellingAccount, keys: Sequence[str], added: Collection[str], removed: Collection[str]) -> dict[str, Done]:
    """Put labels on mails and take others off."""

    def alone(key: str) -> str:
        account.relabel(key, added, removed)
        return key

    if isinstance(account, BatchingAccount) and len(keys) > 1:
        return _together(keys, lambda: account.relabel_all(keys, added, removed))
    return {key: _each(alone, key) for key in keys}


def _moved(account: MailAccount, keys: Sequence[str], target: str) -> dict[str, Done]:
    if isinstance(account, BatchingAccount) and len(keys) > 1:
        return _together(keys, lambda: account.move_all(keys, target))
    return {key: _each(lambda key: account.move(key, target), key) for key in keys}


def _together(keys: Sequence[str], change: Callable[[], Mapping[str, Done]]) -> dict[str, Done]:
    try:
        done = change()
    except (AccountFailed, Refusal) as error:
        return {key: Done(problem=str(error)) for key in keys}
    return {key: done.get(key, Done(problem=NO_WORD)) for key in keys}


def _each(change: Callable[[str], str], key: str) -> Done:
    try:
        return Done(change(key))
    except (AccountFailed, Refusal) as error:
        return Done(problem=str(error))
