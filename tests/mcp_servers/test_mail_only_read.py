"""From an account that can only be read nothing leaves: nothing is said to have, and no draft is from it that could never be sent."""

from __future__ import annotations

import json
import secrets
import time
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.client import Client

from agent.safety.grants import HOST_KEY, granted
from config.shapes.mail import MailAccountEntry
from mcp_servers.mail.server import MailTools
from mcp_servers.mailbox.draft_keeping import discard
from mcp_servers.mailbox.message.mime import parse
from mcp_servers.mailbox.setup import store_of
from mcp_servers.mailbox.store import MailStore
from tests.mcp_servers.calling import text_of
from tests.mcp_servers.test_mail_accounts import SlowAccount
from tests.mcp_servers.test_outbox_foreign import ARGUMENTS, HOST, KEY, outbox_at, sent_and_kept, text

ONLY_READ = MailAccountEntry(address="me@archive.example", imap_host="imap.archive.example")
SENDING = MailAccountEntry(address="me@home.example", smtp_host="smtp.home.example")


def told(**accounts: MailAccountEntry) -> list[str]:
    """As the service tells a server of them."""
    named = [{"name": name, "account": entry.model_dump(mode="json", exclude_defaults=True)} for name, entry in accounts.items()]
    return [part for one in named for part in ("--account", json.dumps(one))]


def froms(store: MailStore) -> list[str]:
    return [parse(store.drafts.read(key) or b"").sender.address for key in store.draft_numbers().values()]


class Drawer(SlowAccount):
    """An account with drafts of its own."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.drafts: list[bytes] = []

    def keep_draft(self, content: bytes, *, is_new: bool) -> bytes:
        assert is_new
        self.drafts.append(content)
        return content

    def find_draft(self, content: bytes) -> bytes | None:
        return content if content in self.drafts else None

    def drop_draft(self, content: bytes) -> bool:
        self.drafts.remove(content)
        return True


@pytest.mark.parametrize(
    ("accounts", "who", "whose"),
    [
        ({"work": ONLY_READ}, "work", "its smtp_host"),
        ({"work": ONLY_READ, "old": ONLY_READ}, "work, old", "the smtp_host of one of them"),
    ],
)
def test_what_was_approved_is_not_said_to_be_sent_where_every_account_can_only_be_read(
    tmp_path: Path, accounts: dict[str, MailAccountEntry], who: str, whose: str
) -> None:
    grant = granted("send_mail", ARGUMENTS, {HOST_KEY: HOST}, key=KEY, nonce=secrets.token_hex(16), now=time.time())
    meta: Any = {HOST_KEY: HOST, **grant}

    async def run() -> tuple[bool | None, str]:
        async with Client(outbox_at(tmp_path, KEY, *told(**accounts))) as client:
            done = await client.call_tool("send_mail", ARGUMENTS, meta=meta)
            return done.is_error, text(done)

    refused = f"No account sends mail: {who} can only be read. Name {whose} in agent.toml. Nothing was sent."
    assert anyio.run(run) == (True, refused)
    assert sent_and_kept(tmp_path) == (0, 0)


def test_a_draft_is_from_an_account_that_sends_also_where_it_answers_a_mail_to_one_that_does_not(tmp_path: Path) -> None:
    store = store_of(tmp_path / "mail", {"archive": ONLY_READ, "home": SENDING}, [Drawer("archive")])
    tools = MailTools(store)
    text_of(tools.draft_mail, to="bo@example.org", body="Hello")
    text_of(tools.draft_reply, mail="m1", body="Fine")
    text_of(tools.handlers()["draft_forward"], mail="m1", to="bo@example.org")
    assert froms(store) == ["me@home.example"] * 3
    assert {"me@archive.example", "me@home.example"} == store.own_addresses()


def test_where_none_sends_drafts_are_from_the_one_that_is_read(tmp_path: Path) -> None:
    store = store_of(tmp_path / "mail", {"archive": ONLY_READ})
    text_of(MailTools(store).draft_mail, to="bo@example.org", body="Hello")
    assert froms(store) == ["me@archive.example"]


def test_one_address_that_is_read_and_sent_from_as_two_accounts_has_its_drafts_where_it_is_read(tmp_path: Path) -> None:
    drawer, other = Drawer("box"), Drawer("archive")
    way_out = SENDING.model_copy(update={"address": "ME@work.example"})
    box = ONLY_READ.model_copy(update={"address": "me@work.example"})
    store = store_of(tmp_path / "mail", {"archive": ONLY_READ, "box": box, "out": way_out}, [other, drawer])
    text_of(MailTools(store).draft_reply, mail="m1", body="Fine")
    assert (froms(store), len(drawer.drafts), other.drafts) == (["me@work.example"], 1, [])
    discard(store, next(iter(store.drafts.entries())))
    assert drawer.drafts == []


def test_a_draft_that_an_account_has_from_before_is_taken_from_there_though_none_is_from_it_any_more(tmp_path: Path) -> None:
    drawer = Drawer("archive")
    before = store_of(tmp_path / "mail", {"archive": ONLY_READ}, [drawer])
    text_of(MailTools(before).draft_mail, to="bo@example.org", body="Hello")
    assert len(drawer.drafts) == 1
    before.close()
    store = store_of(tmp_path / "mail", {"archive": ONLY_READ, "home": SENDING}, [drawer])
    discard(store, next(iter(store.drafts.entries())))
    assert drawer.drafts == []
