"""What a mail account can do, whatever is behind it.

An account has folders; a folder holds mails under keys. A key is the account's own and stays as long as the mail does; one that moves
to another folder may get another. Reading changes nothing: no mail is marked as read. Folders have the names that a person sees; those
of the five roles are the same in every account, whatever its server calls them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from mcp_servers.errors import Quoting, Refusal
from mcp_servers.mailbox.places import Wanted

HEADS_BOUND_S = 25.0
"""Reading an account for the first time: what is not read by then is read at the next look, within the host's own bound for a call."""


class AccountFailed(Exception):
    """An account gives no answer. `str()` is a sentence that names it, and what to do."""

    def __init__(self, sentence: str, *, by_server: str = "") -> None:
        """Args:
        sentence: the same.
        by_server: of it, the server's own words.
        """
        super().__init__(sentence)
        self.by_server = by_server

    def refusal(self) -> Refusal:
        """The same of a tool: in a block, where a stranger wrote some of it."""
        return Quoting(str(self)) if self.by_server else Refusal(str(self))


class AccountAway(AccountFailed):
    """It cannot be reached, or does not let us in: nothing else can be asked of it just now."""


class LoginRefused(AccountAway):
    """It does not let us in: asked again and again, it would let in nobody of this house."""


class NotAll(AccountFailed):
    """An account gave a part of its answer; the sentence says what is missing."""


def nothing_gone(keys: Collection[str]) -> frozenset[str]:
    """Of an account that cannot tell a mail that is gone from one that it does not list."""
    del keys
    return frozenset()


@dataclass(frozen=True)
class Listing:
    """What a folder holds."""

    unread: Mapping[str, bool] = field(default_factory=dict[str, bool])
    """By key: whether the mail is unread."""
    left_out: int = 0
    """Older mails that are there and not in it."""
    stamps: Mapping[str, str] = field(default_factory=dict[str, str])
    """By key: what changes when the mail's content does; absent where a mail never changes."""
    gone: Callable[[Collection[str]], frozenset[str]] = nothing_gone
    """Which of these mails, which were in the folder and are not listed any more, are in no folder under this key."""


class MailAccount(Protocol):
    """One account. Not for use by two threads at once."""

    @property
    def name(self) -> str: ...

    def folders(self) -> tuple[str, ...]:
        """Their names, those of the five roles first.

        Raises:
            AccountFailed: no answer.
        """
        ...

    def listing(self, folder: str) -> Listing:
        """What is in a folder; nothing where the account has no such folder.

        Raises:
            AccountFailed: no answer.
        """
        ...

    def heads(self, keys: Sequence[str], within_s: float = HEADS_BOUND_S) -> Iterator[tuple[str, bytes]]:
        """Enough of each mail to find it again by sender, subject and text; those that are gone are left out.

        Args:
            keys: of the mails.
            within_s: after so long nothing more is asked of a server; 0 for not at all.

        Raises:
            AccountFailed: no answer.
            NotAll: the others come when they are asked for again.
        """
        ...

    def read(self, key: str) -> bytes | None:
        """The mail; None when it is gone.

        Raises:
            AccountFailed: no answer.
        """
        ...

    def folder_of(self, key: str) -> str | None:
        """Where the mail is; None when it is gone.

        Raises:
            AccountFailed: no answer.
        """
        ...

    def move(self, key: str, target: str) -> str:
        """Put the mail into another folder, which is made if it is one of the roles and missing.

        Returns:
            Its key there; empty where the account does not say it.

        Raises:
            AccountFailed: no answer; the sentence says whether the mail may have moved.
            Refusal: the mail or the folder is not there.
        """
        ...


@runtime_checkable
class PointingAccount(MailAccount, Protocol):
    """One that can look at single mails for less than a listing of their folder costs."""

    def look_at(self, keys: Collection[str]) -> Mapping[str, Listing]:
        """By folder, those of these mails that are there, and that a listing of it would show if it went back so far.

        Raises:
            AccountFailed: no answer.
        """
        ...


@runtime_checkable
class SearchingAccount(MailAccount, Protocol):
    """One whose server searches by itself, further back than anybody lists."""

    def search(self, folder: str, wanted: Wanted) -> Listing:
        """What of a folder its server finds, by the server's own idea of what a word is.

        Raises:
            AccountFailed: no answer.
        """
        ...

    def related(self, key: str) -> Listing:
        """The conversation that a mail is of, the mail itself included; nothing when it is gone.

        Raises:
            AccountFailed: no answer.
        """
        ...

    def thread_of(self, key: str) -> str:
        """The server's own name of that conversation; empty when the mail is gone.

        Raises:
            AccountFailed: no answer.
        """
        ...


@runtime_checkable
class LabellingAccount(MailAccount, Protocol):
    """One whose mails can have labels, wherever they lie. `flagged` and `unread` are in every one."""

    def labels(self, folder: str) -> tuple[str, ...]:
        """What mails of a folder can be labelled with.

        Raises:
            AccountFailed: no answer.
        """
        ...

    def labels_of(self, key: str) -> tuple[str, ...] | None:
        """The labels of a mail, in that order; None when it is gone.

        Raises:
            AccountFailed: no answer.
        """
        ...

    def relabel(self, key: str, added: Collection[str], removed: Collection[str]) -> None:
        """Put labels on a mail and take others off; done twice, it is as done once. One that is new is made.

        Raises:
            AccountFailed: no answer.
            Refusal: the mail is gone, or the account does not have such a label.
        """
        ...


@dataclass(frozen=True)
class Done:
    """What came of one mail of several."""

    key: str = ""
    """Of the mail as it is now; empty where its account does not say it."""
    problem: str = ""
    """Why it was not done, or that nobody knows, in a sentence that says what to do; empty where it was."""


@runtime_checkable
class BatchingAccount(LabellingAccount, Protocol):
    """One that changes several mails at once; every key that it is given is in its answer."""

    def move_all(self, keys: Sequence[str], target: str) -> Mapping[str, Done]:
        """As `move`, for several mails.

        Raises:
            AccountFailed: no answer, and none was moved.
            Refusal: the folder is not there, and none was moved.
        """
        ...

    def relabel_all(self, keys: Sequence[str], added: Collection[str], removed: Collection[str]) -> Mapping[str, Done]:
        """As `relabel`, for several mails.

        Raises:
            AccountFailed: no answer, and none was changed.
            Refusal: the account does not have such a label, and none was changed.
        """
        ...


@runtime_checkable
class DraftingAccount(MailAccount, Protocol):
    """One that has drafts of its own, which a person sees elsewhere too."""

    def keep_draft(self, content: bytes, *, is_new: bool) -> bytes:
        """Put a draft among them, unless it is there.

        Args:
            content: of the draft.
            is_new: it was never put there before; else it is looked for first.

        Returns:
            The draft as it is kept here, with what it takes to find it there again.

        Raises:
            AccountFailed: it is not there, or nobody knows.
        """
        ...

    def find_draft(self, content: bytes) -> bytes | None:
        """The draft as it is kept here once it is known to be among them; None where it is not.

        Args:
            content: of the draft, with or without what it takes to find it there.

        Raises:
            AccountFailed: nobody knows.
        """
        ...

    def drop_draft(self, content: bytes) -> bool:
        """Take a draft from among them; False where somebody wrote on it there since: then it stays.

        Args:
            content: of the draft as it is kept here.

        Raises:
            AccountFailed: no answer.
        """
        ...
