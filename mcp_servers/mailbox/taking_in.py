"""Brings the index to what a look into a folder saw: what is new or has changed is read, and what is gone leaves it."""

from __future__ import annotations

from typing import NamedTuple

from mcp_servers.mailbox.accounts import AccountFailed, NotAll
from mcp_servers.mailbox.index import Entered, MailIndex, Seen, account_in, key_in, mail_ref
from mcp_servers.mailbox.looks import Look
from mcp_servers.mailbox.message.mime import parse
from mcp_servers.protocol import progress


class Missed(NamedTuple):
    """What of a look is not in the index, in sentences that begin with the account's name."""

    problems: tuple[str, ...] = ()
    """The account stopped answering."""
    left_out: tuple[str, ...] = ()
    """It takes longer than one look."""


def take_in(index: MailIndex, look: Look) -> Missed:
    """Read what the index does not know yet; what was read before it stopped is kept, and the next look goes on from there."""
    name, listing = look.account.name, look.listing
    seen = {mail_ref(name, key): Seen(look.folder, listing.stamps.get(key, "")) for key in look.to_index}
    known = index.seen()
    # In the account's own order; a stamp that nobody could take proves nothing.
    missing = [ref for ref, one in seen.items() if ref not in known or known[ref].stamp != one.stamp]
    index.place({ref: look.folder for ref, one in seen.items() if ref in known and known[ref].folder != one.folder})
    unseen = [key_in(ref) for ref, one in known.items() if one.folder == look.folder and ref not in seen and account_in(ref) == name]
    unlisted = [key for key in unseen if key not in look.unread] if unseen else []
    if unlisted:
        index.forget(mail_ref(name, key) for key in listing.gone(unlisted))
    if not missing:
        return Missed()
    read: list[Entered] = []
    try:
        for key, content in look.account.heads([key_in(ref) for ref in missing]):
            ref = mail_ref(name, key)
            read.append(Entered(ref, seen[ref], parse(content)))
            progress.say(f"{len(read)} of {len(missing)} new mails read")
            progress.check()
    except NotAll as error:
        return Missed(left_out=(str(error),))
    except AccountFailed as error:
        return Missed(problems=(str(error),))
    finally:
        index.add(read)
    return Missed()
