"""A Gmail account on loopback, its mail tools and its outbox, for each test that names one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_servers.mailbox.store import MailStore
from mcp_servers.outbox.server import Outbox
from tests.fakes.gmail import FakeGmail, gmail_on_loopback
from tests.mcp_servers.gmail_desk import GmailDesk, carrier, outbox_of


@pytest.fixture
def google() -> Iterator[FakeGmail]:
    with gmail_on_loopback() as fake:
        yield fake


@pytest.fixture
def desk(google: FakeGmail, tmp_path: Path) -> GmailDesk:
    return GmailDesk(google, tmp_path / "mail")


@pytest.fixture
def store(desk: GmailDesk) -> Iterator[MailStore]:
    """Of the process that is started next."""
    store = desk.store()
    yield store
    store.close()


@pytest.fixture
def outbox(store: MailStore, google: FakeGmail, tmp_path: Path) -> Outbox:
    return outbox_of(store, tmp_path, carrier(google))
