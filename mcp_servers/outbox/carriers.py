"""Ways out of the house: what takes a finished mail away, and what it can say of one that a crash interrupted.

A carrier says when the mail may have left (`on_leaving`), and nothing before that moment has an effect. What it raises after it
is `Unsure`: the mail may have gone, and is never sent again on the chance.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from mcp_servers.mailbox.maildir import Maildir


class NotSent(Exception):
    """Nothing left. `str()` is a sentence for the person."""


class TurnedDown(NotSent):
    """The same, in which a server's own words stand."""


class Unsure(Exception):
    """It may have left: nobody can tell."""


@dataclass(frozen=True)
class Parcel:
    """A finished mail and where it goes."""

    uid: str
    """The client-made id of the approved call."""
    content: bytes
    sender: str
    recipients: tuple[str, ...]
    thread: str = ""
    """The conversation at its account that it answers in; empty for none."""
    draft: str = ""
    """The account's own name of the draft that it is; empty where it is none of the account's."""


class Carrier(Protocol):
    """One way out."""

    def carry(self, parcel: Parcel, *, on_leaving: Callable[[], None]) -> None:
        """Take the mail away. It may be broken off before `on_leaving`, and not after it.

        Args:
            parcel: the mail.
            on_leaving: called once, right before the step that may have it leave.

        Raises:
            NotSent: it did not leave.
            Unsure: it may have left.
        """
        ...

    def was_carried(self, uid: str) -> bool | None:
        """Whether what a crash interrupted has left; None where nobody can look."""
        ...


class _InSent:
    """What was carried lies in the local folder `Sent`."""

    def __init__(self, sent: Maildir) -> None:
        self._sent = sent

    def was_carried(self, uid: str) -> bool | None:
        return sent_key(uid) in self._sent.with_deleted()  # whoever marks it as deleted does not want it sent again


def sent_key(uid: str) -> str:
    """The file name of what was sent, made of the id: what a crash left half done is found under it, and not delivered again."""
    return hashlib.sha256(uid.encode()).hexdigest()[:32]


class LocalCarrier(_InSent):
    """A machine without an account: mails go to the local folder `Sent`, and no further."""

    def carry(self, parcel: Parcel, *, on_leaving: Callable[[], None]) -> None:
        on_leaving()
        self._sent.add(parcel.content, key=sent_key(parcel.uid))  # nothing in it can be broken off


class Closed(_InSent):
    """A way out that is not set up: nothing leaves, and the sentence says why."""

    def __init__(self, problem: str, sent: Maildir) -> None:
        super().__init__(sent)
        self._problem = problem

    def carry(self, parcel: Parcel, *, on_leaving: Callable[[], None]) -> None:
        raise NotSent(f"{self._problem} Nothing was sent.")


class ByAddress:
    """The carrier of the account that a mail is from."""

    def __init__(self, carriers: Mapping[str, Carrier]) -> None:
        self._carriers = {address.lower(): carrier for address, carrier in carriers.items()}

    def carry(self, parcel: Parcel, *, on_leaving: Callable[[], None]) -> None:
        carrier = self._carriers.get(parcel.sender.lower())
        if carrier is None:
            known = ", ".join(self._carriers)
            raise NotSent(f'No account sends mail from "{parcel.sender}"; there are {known}. Nothing was sent. Write it again.')
        carrier.carry(parcel, on_leaving=on_leaving)

    def was_carried(self, uid: str) -> bool | None:
        # One that finds it is proof, whoever it was; that one does not is none for the others.
        answers = [carrier.was_carried(uid) for carrier in self._carriers.values()]
        return True if True in answers else None if None in answers else False
