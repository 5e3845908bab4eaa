"""What a mail account can do, whatever is behind it, and the local folder as one of them.

An account has folders; a folder holds mails under keys. A key is the account's own and stays as long as the mail does; one that moves
to another folder may get another. Reading changes nothing: no mail is marked as read. Folders have the names that a person sees; those
of the five roles are the same in every account, whatever its server calls them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from mcp_servers.errors import Refusal
from mcp_servers.mailbox.maildir import Maildir
from mcp_servers.mailbox.places import FLAGGED, INBOX, LOCAL, ROLES, UNREAD, Wanted


class AccountFailed(Exception):
    """An account gives no answer. `str()` is a sentence that names it, and what to do."""


class AccountAway(AccountFailed):
    """It cannot be reached, or does not let us in: nothing else can be asked of it just now."""


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

    def heads(self, keys: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Enough of each mail to find it again by sender, subject and text; those that are gone are left out.

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
            Its key there.

        Raises:
            AccountFailed: no answer; the sentence says whether the mail may have moved.
            Refusal: the mail or the folder is not there.
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

    def drop_draft(self, content: bytes) -> bool:
        """Take a draft from among them; False where somebody wrote on it there since: then it stays.

        Args:
            content: of the draft as it is kept here.

        Raises:
            AccountFailed: no answer.
        """
        ...


class LocalAccount:
    """The local folder: a Maildir for each folder in it. `Inbox` is the folder itself, when that is a Maildir."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._maildirs: dict[str, Maildir] = {}

    @property
    def name(self) -> str:
        return LOCAL

    def maildir(self, folder: str) -> Maildir:
        """One folder, made when it is missing."""
        if folder not in self._maildirs:
            self._maildirs[folder] = Maildir(self._path(folder))
        return self._maildirs[folder]

    def folders(self) -> tuple[str, ...]:
        found = {file.parent.name.removeprefix(".") for file in self._folder.glob("*/cur")}
        return (*ROLES, *sorted(found - {*ROLES}, key=str.casefold))

    def listing(self, folder: str) -> Listing:
        if folder not in self._present():
            return Listing()
        entries = self.maildir(folder).entries()
        unread = {key: entry.is_unread for key, entry in entries.items()}
        return Listing(unread, stamps={key: entry.stamp for key, entry in entries.items()}, gone=self._gone)

    def heads(self, keys: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        wanted = {*keys}
        for folder in self._present():
            maildir = self.maildir(folder)
            for key, entry in maildir.entries().items():
                content = maildir.read(key, entry=entry) if key in wanted else None
                if content is not None:
                    yield key, content

    def read(self, key: str) -> bytes | None:
        folder = self.folder_of(key)
        return None if folder is None else self.maildir(folder).read(key)

    def folder_of(self, key: str) -> str | None:
        return next((folder for folder in self._present() if key in self.maildir(folder).entries()), None)

    def move(self, key: str, target: str) -> str:
        source = self.folder_of(key)
        if source is None:
            raise Refusal("The mail is gone. Look again.")
        if target not in self.folders():
            raise Refusal(f'There is no folder "{target}". There are {", ".join(self.folders())}.')
        if source != target and not self.maildir(source).hand_over(key, self.maildir(target)):
            raise Refusal("The mail is gone. Look again.")
        return key

    def labels(self, folder: str) -> tuple[str, ...]:
        del folder
        return (FLAGGED, UNREAD)

    def labels_of(self, key: str) -> tuple[str, ...] | None:
        folder = self.folder_of(key)
        entry = self.maildir(folder).entries().get(key) if folder is not None else None
        if entry is None:
            return None
        return (*((FLAGGED,) if "F" in entry.flags else ()), *((UNREAD,) if entry.is_unread else ()))

    def relabel(self, key: str, added: Collection[str], removed: Collection[str]) -> None:
        if strange := {*added, *removed} - {FLAGGED, UNREAD}:
            raise Refusal(f"Mails of the local folder can be {FLAGGED} and {UNREAD}, and not {', '.join(sorted(strange))}.")
        folder = self.folder_of(key)
        marks = ("F" if FLAGGED in added else "") + ("S" if UNREAD in removed else "")
        gone = ("F" if FLAGGED in removed else "") + ("S" if UNREAD in added else "")
        if folder is None or not self.maildir(folder).mark(key, added=marks, removed=gone):
            raise Refusal("The mail is gone. Look again.")

    def _gone(self, keys: Collection[str]) -> frozenset[str]:
        left = frozenset(keys)
        # Looked for twice: one that moves from a folder that comes later to one that came before is missed once.
        for _ in range(2):
            left -= {key for folder in (self._present() if left else ()) for key in self.maildir(folder).entries()}
        return left

    def _present(self) -> tuple[str, ...]:
        return tuple(folder for folder in self.folders() if (self._path(folder) / "cur").is_dir())

    def _path(self, folder: str) -> Path:
        if folder == INBOX:
            return self._folder if (self._folder / "cur").is_dir() else self._folder / INBOX
        # A name is one of those that `folders` found, or a role: never a path.
        plain, dotted = self._folder / folder, self._folder / f".{folder}"
        return dotted if dotted.is_dir() and not plain.is_dir() else plain
