"""Several accounts are one mailbox; what one of them did not give is said, and what it gave is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mcp_servers.mail.server import MailTools
from mcp_servers.mailbox.accounts import HEADS_BOUND_S, Listing, NotAll
from mcp_servers.mailbox.store import MailStore
from tests.mcp_servers.calling import call, text_of

MAIL = "From: W{0} <w{0}@example.org>\nSubject: Work {0}\nDate: Fri, 20 Nov 2026 10:00:0{0} +0100\n\nx\n"


class SlowAccount:
    """Has five mails and more, and gives two at a time."""

    name = "work"

    def folders(self) -> tuple[str, ...]:
        return ("Inbox",)

    def listing(self, folder: str) -> Listing:
        return Listing({str(number): True for number in range(5)}, left_out=7) if folder == "Inbox" else Listing()

    def heads(self, keys: Sequence[str], within_s: float = HEADS_BOUND_S) -> Iterator[tuple[str, bytes]]:
        del within_s
        for key in keys[:2]:
            yield key, MAIL.format(key).encode()
        if len(keys) > 2:
            raise NotAll(f"work: {len(keys) - 2} mails of Inbox are not read yet. Ask again.")

    def read(self, key: str) -> bytes | None:
        return MAIL.format(key).encode()

    def folder_of(self, key: str) -> str | None:
        return "Inbox" if key in self.listing("Inbox").unread else None

    def move(self, key: str, target: str) -> str:
        raise AssertionError("nothing is moved here")


def test_what_was_read_before_an_account_stopped_is_kept_and_the_rest_comes_next(tmp_path: Path) -> None:
    tools = MailTools(MailStore(tmp_path / "mail", [SlowAccount()]))
    for shown, missing in ((2, 3), (4, 1), (5, 0)):
        found = tools.search_mail(call())
        assert found.structured["count"] == shown
        assert found.structured["problems"] == []
        not_read = [f"work: {missing} mails of Inbox are not read yet. Ask again."] if missing else []
        assert found.structured["left_out"] == ["work: 7 older mails of Inbox are not searched.", *not_read]
    assert text_of(tools.handlers()["find_mails"], account="work").endswith("\nwork: 7 older mails of Inbox are not searched.")
    assert text_of(tools.search_mail, sender="w3").startswith("1 mail\n")


def test_a_new_mail_is_from_the_account_that_sends_and_an_answer_from_the_one_that_was_written_to(tmp_path: Path) -> None:
    store = MailStore(tmp_path / "mail", [SlowAccount()], addresses={"home": "me@home.example", "work": "me@work.example"})
    tools = MailTools(store)
    text_of(tools.draft_mail, to="bo@example.org", body="Hello")
    text_of(tools.draft_reply, mail="m1", body="Fine")
    drafts = [store.drafts.read(key) or b"" for key in store.draft_numbers().values()]
    assert [line for draft in drafts for line in draft.split(b"\r\n") if line.startswith(b"From:")] == [
        b"From: me@home.example", b"From: me@work.example",
    ]  # fmt: skip
    assert "w0@example.org" in {person.address for person in MailStore(tmp_path / "mail").people()}
