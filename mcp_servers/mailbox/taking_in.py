"""Brings the index to what looks into folders saw: what is new or has changed is read, and what is gone leaves it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mcp_servers.mailbox.accounts import HEADS_BOUND_S, AccountFailed, NotAll, nothing_gone
from mcp_servers.mailbox.index import Entered, MailIndex, Seen, account_in, key_in, mail_ref
from mcp_servers.mailbox.looks import Look, side_by_side
from mcp_servers.mailbox.message.mime import parse
from mcp_servers.protocol import progress


class Missed(NamedTuple):
    """What of the looks is not in the index, in sentences that begin with the account's name."""

    problems: tuple[str, ...] = ()
    """An account stopped answering."""
    left_out: tuple[str, ...] = ()
    """It takes longer than a call may."""


@dataclass
class _Gap:
    """What the index lacks of a look."""

    look: Look
    missing: Mapping[str, Seen]
    read: list[Entered] = field(default_factory=list[Entered])
    """So far."""


class Intake:
    """Not for use by two threads at once.

    A served call reads for `HEADS_BOUND_S` in all, in however many looks: nobody waits longer, and some clients would give it up.

    Args:
        index: what is read goes into it.
        clock: seconds.
    """

    def __init__(self, index: MailIndex, clock: Callable[[], float] = time.monotonic) -> None:
        self._index = index
        self._clock = clock
        self._work: progress.Work | None = None
        self._left_s = HEADS_BOUND_S

    def take_in(self, looks: Sequence[Look]) -> Missed:
        """Read what the index does not know yet, of all accounts at once; what was read is kept, and the next look goes on from there."""
        gaps: list[_Gap] = []
        for look in looks:
            asked_for = {ref for gap in gaps for ref in gap.missing}
            missing = _missing(self._index, look)
            gaps.append(_Gap(look, {ref: one for ref, one in missing.items() if ref not in asked_for}))
        of_accounts: dict[str, list[_Gap]] = {}
        for gap in gaps:
            if gap.missing:
                of_accounts.setdefault(gap.look.account.name, []).append(gap)
        if not of_accounts:
            return Missed()
        began, within_s = self._clock(), self._within_s()
        try:
            missed = side_by_side(lambda own: self._read(own, gaps, began + within_s), tuple(of_accounts.values()))
        finally:
            self._left_s = max(0.0, within_s - (self._clock() - began))
            # In the order of the looks, whoever was faster: the numbers that are given must not depend on that.
            for gap in gaps:
                self._index.add(gap.read)
        problems = tuple(sentence for one in missed for sentence in one.problems)
        return Missed(problems, tuple(sentence for one in missed for sentence in one.left_out))

    def _within_s(self) -> float:
        work = progress.work_under_way()
        if work is None or work is not self._work:
            self._work, self._left_s = work, HEADS_BOUND_S
        return self._left_s

    def _read(self, own: Sequence[_Gap], gaps: Collection[_Gap], until: float) -> Missed:
        """What one account has, as far as there is time."""
        problems: list[str] = []
        left_out: list[str] = []
        wanted = sum(len(gap.missing) for gap in gaps)
        for gap in own:
            account = gap.look.account
            try:
                for key, content in account.heads([key_in(ref) for ref in gap.missing], max(0.0, until - self._clock())):
                    ref = mail_ref(account.name, key)
                    gap.read.append(Entered(ref, gap.missing[ref], parse(content)))
                    progress.say(f"{sum(len(one.read) for one in gaps)} of {wanted} new mails read")
                    progress.check()
            except NotAll as error:
                left_out.append(str(error))
            except AccountFailed as error:
                problems.append(str(error))
        return Missed(tuple(problems), tuple(left_out))


def _missing(index: MailIndex, look: Look) -> dict[str, Seen]:
    """What is to be read, in the account's own order; what is known is put where it was seen, and what is gone is forgotten."""
    name, listing = look.account.name, look.listing
    seen = {mail_ref(name, key): Seen(look.folder, listing.stamps.get(key, "")) for key in look.to_index}
    # Where nobody can say what is gone, what else is known does not matter.
    known = index.seen(seen if listing.gone is nothing_gone else None)
    index.place({ref: look.folder for ref, one in seen.items() if ref in known and known[ref].folder != one.folder})
    unseen = [key_in(ref) for ref, one in known.items() if one.folder == look.folder and ref not in seen and account_in(ref) == name]
    unlisted = [key for key in unseen if key not in look.unread] if unseen else []
    if unlisted:
        index.forget(mail_ref(name, key) for key in listing.gone(unlisted))
    # A stamp that nobody could take proves nothing.
    return {ref: one for ref, one in seen.items() if ref not in known or known[ref].stamp != one.stamp}
