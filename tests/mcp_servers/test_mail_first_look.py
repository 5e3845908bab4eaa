"""The first look at large accounts takes no longer than one reading may, however many accounts and folders there are."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from pydantic import SecretStr

from mcp_servers.mail.conversations import Conversations
from mcp_servers.mailbox.accounts import HEADS_BOUND_S
from mcp_servers.mailbox.imap.account import BATCH, ImapAccount
from mcp_servers.mailbox.imap.connection import ImapServer
from mcp_servers.mailbox.store import MailStore
from mcp_servers.protocol import progress
from tests.fakes.imap_mailbox import imap_mailbox
from tests.mcp_servers.calling import call

MANY = range(1, 1001)
BATCH_S = 5.0
READ = int(HEADS_BOUND_S / BATCH_S) * BATCH
"""How many are read in the time that there is."""


class Slow:
    """A clock that each batch of mails moves on."""

    def __init__(self, meet: Callable[[], object] = lambda: None) -> None:
        self.now = 0.0
        self._meet = meet

    def fetch(self) -> None:
        self._meet()
        self.now += BATCH_S


def account(name: str, port: int, clock: Slow) -> ImapAccount:
    return ImapAccount(ImapServer(name, "127.0.0.1", port, "u", SecretStr("p"), "none"), clock=lambda: clock.now)


def test_accounts_are_read_side_by_side(tmp_path: Path) -> None:
    names = ("a", "b", "c")
    together = threading.Barrier(len(names), timeout=10)
    clocks = {name: Slow(together.wait) for name in names}
    with ExitStack() as stack:
        ports = {name: stack.enter_context(imap_mailbox({"INBOX": MANY}, on_fetch=clock.fetch)) for name, clock in clocks.items()}
        accounts = [account(name, ports[name], clock) for name, clock in clocks.items()]
        store = MailStore(tmp_path / "mail", accounts)
        mails = store.mails()
        for one in (*accounts, store):
            one.close()
    assert [clock.now for clock in clocks.values()] == [HEADS_BOUND_S] * len(names)
    assert store.left_out == tuple(f"{name}: {len(MANY) - READ} mails of INBOX are not read yet. Ask again." for name in names)
    # Numbers do not depend on who was faster.
    assert [mail.account for mail in sorted(mails, key=lambda mail: mail.number)] == [name for name in names for _ in range(READ)]


def test_all_folders_of_a_call_share_the_time_and_the_next_call_goes_on(tmp_path: Path) -> None:
    clock = Slow()
    with imap_mailbox({"INBOX": MANY[: READ + BATCH], "Archive": MANY, "Sent": MANY[:1]}, on_fetch=clock.fetch) as port:
        work = account("work", port, clock)
        store = MailStore(tmp_path / "mail", [work], clock=lambda: clock.now)
        tools = Conversations(store)
        for calls, left_out in (
            (1, {"work: 50 mails of INBOX are not read yet. Ask again.", "work: 1000 mails of Archive are not read yet. Ask again."}),
            (2, {f"work: {len(MANY) - READ + BATCH} mails of Archive are not read yet. Ask again."}),
        ):
            with progress.under_way(progress.Work()):
                found = tools.list_threads(call(query="s1")).structured
            assert clock.now == calls * HEADS_BOUND_S
            assert left_out <= {*found["left_out"]}
        # Alone, each look has the time of its own.
        store.mails("Archive")
        assert clock.now == 3 * HEADS_BOUND_S
        store.close()
        work.close()
