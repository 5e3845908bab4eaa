"""Puts what the outbox has sent over SMTP among its account's own sent mails, a moment later and once each.

The outbox has no password for reading, so it only notes what is to be done; here is who does it, on connections of its own. What an account
does not take now is tried again later, also by the next process; one mail that it does not take holds up no other.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Protocol

from mcp_servers.errors import Refusal
from mcp_servers.files import locked
from mcp_servers.mailbox.accounts import AccountAway, AccountFailed, LoginRefused
from mcp_servers.mailbox.maildir import Maildir
from mcp_servers.mailbox.unfiled import Unfiled

log = logging.getLogger(__name__)
LOOK_S = 2.0
"""Between two looks at a folder that is nearly always empty."""
AGAIN_S = 60.0
"""Before an account that is away is asked again, and before a mail that failed is tried again for the first time."""
LOGIN_AGAIN_S = 900.0
"""Before a refused login is tried again for the first time: several within ten minutes have servers shut out account and address."""
LONGEST_AGAIN_S = 3600.0
"""Before it is, however often it failed."""
COPY_S = 3600.0
"""A note without a copy for so long will never have one."""


class Keeper(Protocol):
    """An account's folder of sent mails."""

    def file_sent(self, content: bytes) -> None:
        """Raises:
        LoginRefused: nobody is let in.
        AccountAway: nothing can be put there just now.
        AccountFailed: it is not there, or nobody knows.
        """
        ...

    def close(self) -> None: ...


class _Waits:
    """What failed, when it is tried again, and what was said about it: each sentence once.

    Args:
        clock: seconds.
        longest_s: between two tries; each wait is twice the one before.
        first_s: the first of them.
    """

    def __init__(self, clock: Callable[[], float], longest_s: float, first_s: float = AGAIN_S) -> None:
        self._clock = clock
        self._first_s = first_s
        self._longest_s = longest_s
        self._until: dict[str, float] = {}
        self._wait_s: dict[str, float] = {}
        self._said: dict[str, str] = {}

    def is_over(self, name: str) -> bool:
        return self._clock() >= self._until.get(name, 0)

    def failed(self, name: str, why: str = "") -> None:
        """Args:
        name: of what failed.
        why: in words that hold no secret; empty for what nobody needs to know.
        """
        self._wait_s[name] = min(2 * self._wait_s.get(name, self._first_s / 2), self._longest_s)
        self._until[name] = self._clock() + self._wait_s[name]
        if why and self._said.get(name) != why:
            log.warning("a sent mail is not in its account's folder yet: %s", why)
        self._said[name] = why

    def keep_only(self, names: Collection[str]) -> None:
        """Forget the others."""
        for known in (self._until, self._wait_s, self._said):
            for name in known.keys() - {*names}:
                del known[name]


class SentFiling:
    """One store's. Several processes take turns.

    Args:
        store: the mail's folder.
        sent: where the copies are.
        keepers: by the account's name.
        clock: seconds.
    """

    def __init__(self, store: Path, sent: Maildir, keepers: Mapping[str, Keeper], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._unfiled = Unfiled(store)
        self._sent = sent
        self._keepers = dict(keepers)
        self._mails = _Waits(clock, LONGEST_AGAIN_S)
        self._accounts = _Waits(clock, AGAIN_S)
        self._logins = _Waits(clock, LONGEST_AGAIN_S, LOGIN_AGAIN_S)

    def start(self) -> None:
        """Look again and again until the process ends; the notes outlive it."""
        threading.Thread(target=self._look_on, name="sent-filing", daemon=True).start()

    def file_all(self) -> None:
        """Everything that waits, unless another process is at it."""
        noted = self._unfiled.waiting()
        self._mails.keep_only(noted)
        waiting = {key: account for key, account in noted.items() if self._may_try(key, account)}
        if not waiting:
            return
        try:
            with locked(self._unfiled.folder):
                for key, account in waiting.items():
                    # Another process may have done it meanwhile.
                    if self._may_try(key, account) and key in self._unfiled.waiting():
                        self._try(key, account)
        except Refusal:
            return
        finally:
            for keeper in self._keepers.values():
                keeper.close()

    def _may_try(self, key: str, account: str) -> bool:
        waits = (self._accounts.is_over(account), self._logins.is_over(account), self._mails.is_over(key))
        return account in self._keepers and all(waits)

    def _try(self, key: str, account: str) -> None:
        try:
            self._file(key, account)
        except LoginRefused as error:
            self._logins.failed(account, str(error))
        except AccountAway as error:
            self._accounts.failed(account, str(error))
        except AccountFailed as error:
            self._mails.failed(key, str(error))
        except Exception as error:  # noqa: BLE001 - one bad mail must not end the others; only its kind is said: its text may hold anything
            self._mails.failed(key, f"{account}: {type(error).__name__}")
        else:
            for waits in (self._accounts, self._logins):
                waits.keep_only(self._keepers.keys() - {account})

    def _file(self, key: str, account: str) -> None:
        content = self._sent.read(key)
        if content is not None:
            self._keepers[account].file_sent(content)
        elif self._unfiled.age_s(key) < COPY_S:
            self._mails.failed(key)  # its copy is being written just now, or never was
            return
        self._unfiled.done(key)

    def _look_on(self) -> None:
        while True:
            try:
                self.file_all()
            except Exception:
                log.exception("sent mails could not be filed")
            time.sleep(LOOK_S)
