"""One look into the folders of one account: what is there, what its server found, and what nobody saw."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from mcp_servers.mailbox.accounts import AccountFailed, Listing, MailAccount, PointingAccount, SearchingAccount
from mcp_servers.mailbox.places import INBOX, Wanted
from mcp_servers.protocol import progress

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Look:
    """What one account answered about one folder."""

    account: MailAccount
    folder: str
    listing: Listing
    problem: str = ""
    found: Listing | None = None
    """What its server found, where it searches by itself."""

    @property
    def unread(self) -> Mapping[str, bool]:
        """All that is known to be there, what was found first."""
        return {**self.found.unread, **self.listing.unread} if self.found else self.listing.unread

    @property
    def to_index(self) -> Iterable[str]:
        """What was found, and else everything: a search waits for nothing that it does not show."""
        return (self.found or self.listing).unread

    @property
    def left_out(self) -> str:
        """What nobody looked at, in a sentence that begins with the account; empty for nothing."""
        seen = self.listing if self.found is None else self.found
        if not seen.left_out:
            return ""
        what = "are not searched" if self.found is None else "that fit are not shown"
        return f"{self.account.name}: {seen.left_out} older mails of {self.folder} {what}."


def side_by_side(work: Callable[[T], U], parts: Sequence[T]) -> list[U]:
    """What is done for each of several accounts, at the same time: none waits for another."""
    if len(parts) < 2:
        return [work(part) for part in parts]
    with ThreadPoolExecutor(len(parts)) as pool:
        return list(pool.map(progress.carried(work), parts))


def look_into(account: MailAccount, folders: Sequence[str], wanted: Wanted | None) -> list[Look]:
    """What an account has in these folders; one look that says the problem where it gives no answer."""
    try:
        return [_look_into(account, folder, wanted) for folder in folders]
    except AccountFailed as error:
        return [Look(account, "", Listing(), str(error))]


def look_at(account: MailAccount, keys: Sequence[str]) -> list[Look]:
    """Single mails of an account wherever they are, and nothing beside them: what else is new waits for a look into its folder.

    Raises:
        AccountFailed: no answer.
    """
    if isinstance(account, PointingAccount):
        return [Look(account, folder, listing) for folder, listing in account.look_at(keys).items()]
    looks = [_narrowed(account, INBOX, keys)]
    for key in keys:
        if any(key in look.unread for look in looks) or (folder := account.folder_of(key)) is None:
            continue
        look = _narrowed(account, folder, [one for one in keys if not any(one in look.unread for look in looks)])
        # One that a search found may be older than what is listed.
        is_older = key not in look.unread and isinstance(account, SearchingAccount)
        looks.append(Look(account, folder, Listing({**look.unread, key: False})) if is_older else look)
    return looks


def _narrowed(account: MailAccount, folder: str, keys: Collection[str]) -> Look:
    """Those of these mails that are listed in a folder."""
    listing = account.listing(folder)
    there = {key: listing.unread[key] for key in keys if key in listing.unread}
    return Look(account, folder, Listing(there, stamps={key: listing.stamps[key] for key in there if key in listing.stamps}))


def _look_into(account: MailAccount, folder: str, wanted: Wanted | None) -> Look:
    found = account.search(folder, wanted) if wanted is not None and isinstance(account, SearchingAccount) else None
    return Look(account, folder, account.listing(folder), found=found)
