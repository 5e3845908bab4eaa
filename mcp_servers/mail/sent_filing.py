"""Puts what the outbox has sent over SMTP among its account's own sent mails, a moment later and once each.

The outbox has no password for reading, so it only notes what is to be done; here is who does it, on connections of its own. What an account
does not take now is tried again later, also by the next process.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from mcp_servers.errors import Refusal
from mcp_servers.files import locked
from mcp_servers.mailbox.accounts import AccountFailed
from mcp_servers.mailbox.maildir import Maildir
from mcp_servers.mailbox.unfiled import Unfiled

log = logging.getLogger(__name__)
LOOK_S = 2.0
"""Between two looks at a folder that is nearly always empty."""
AGAIN_S = 60.0
"""Before an account that failed is asked again."""


class Keeper(Protocol):
    """An account's folder of sent mails."""

    def file_sent(self, content: bytes) -> None:
        """Raises:
        AccountFailed: it is not there, or nobody knows.
        """
        ...

    def close(self) -> None: ...


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
        self._clock = clock
        self._not_before: dict[str, float] = {}

    def start(self) -> None:
        """Look again and again until the process ends; the notes outlive it."""
        threading.Thread(target=self._look_on, name="sent-filing", daemon=True).start()

    def file_all(self) -> None:
        """Everything that waits, unless another process is at it."""
        waiting = {key: account for key, account in self._unfiled.waiting().items() if self._may_ask(account)}
        if not waiting:
            return
        try:
            with locked(self._unfiled.folder):
                for key, account in waiting.items():
                    # Another process may have done it meanwhile.
                    if self._may_ask(account) and key in self._unfiled.waiting():
                        self._file(key, account)
        except Refusal:
            return
        finally:
            for keeper in self._keepers.values():
                keeper.close()

    def _may_ask(self, account: str) -> bool:
        return account in self._keepers and self._clock() >= self._not_before.get(account, 0)

    def _file(self, key: str, account: str) -> None:
        content = self._sent.read(key)
        if content is None:
            return  # it has not left, or is leaving just now
        try:
            self._keepers[account].file_sent(content)
        except AccountFailed as error:
            self._not_before[account] = self._clock() + AGAIN_S
            log.warning("a sent mail is not in its account's folder yet: %s", error)
            return
        self._unfiled.done(key)

    def _look_on(self) -> None:
        while True:
            try:
                self.file_all()
            except Exception:
                log.exception("sent mails could not be filed")
            time.sleep(LOOK_S)
