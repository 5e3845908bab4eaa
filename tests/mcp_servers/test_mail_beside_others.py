"""What other programs keep in the same folder of mails stays theirs: their layouts, their numbers, and what they marked as deleted."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from mcp_servers.mail.server import MailTools
from mcp_servers.mailbox.maildir import Maildir
from mcp_servers.mailbox.store import MailStore
from mcp_servers.outbox.carriers import LocalCarrier, sent_key
from tests.mcp_servers.calling import text_of

ROLES = ("Inbox", "Drafts", "Sent", "Archive", "Trash")


def mail(subject: str) -> bytes:
    head = f"From: Anna <anna@example.org>\nSubject: {subject}\nDate: Fri, 20 Nov 2026 10:00:00 +0100\nMessage-ID: <{subject}@example.org>"
    return f"{head}\n\nhi\n".encode()


def put(folder: Path, name: str, subject: str) -> None:
    """As another program puts a mail into a Maildir of its own making."""
    for part in ("cur", "new", "tmp"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "cur" / name).write_bytes(mail(subject))


@contextmanager
def opened(folder: Path) -> Generator[MailStore]:
    store = MailStore(folder)
    try:
        yield store
    finally:
        store.close()


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "cur").iterdir())


def shown(store: MailStore, folder: str = "Inbox") -> list[str]:
    return [one.subject for one in store.mails(folder)]


def others(store: MailStore) -> Sequence[str]:
    names = tuple(name for _, name in store.folders())
    assert names[: len(ROLES)] == ROLES
    return names[len(ROLES) :]


def test_a_mail_that_moves_leaves_its_number_of_mbsync_behind_and_keeps_ours(tmp_path: Path) -> None:
    put(tmp_path / "Inbox", "1700000000.1_5.host,S=310,U=812,W=320:2,FS", "one")
    put(tmp_path / "Archive", "1600.1_1.host,U=3:2,S", "old")
    with opened(tmp_path) as store:
        [one] = store.mails()
        moved = store.move(one, "Archive")
        assert (moved.number, moved.folder, moved.subject) == (one.number, "Archive", "one")
        assert files(tmp_path / "Archive") == ["1600.1_1.host,U=3:2,S", "1700000000.1_5.host,S=310,W=320:2,FS"]
        (tmp_path / "Archive/cur/1700000000.1_5.host,S=310,W=320:2,FS").rename(
            tmp_path / "Archive/cur/1700000000.1_5.host,S=310,W=320,U=4:2,FS"
        )
        again = store.mail(one.number)
        assert again is not None
        assert (again.folder, again.subject) == ("Archive", "one")


def test_a_mail_that_is_marked_where_it_lies_keeps_its_number_of_mbsync(tmp_path: Path) -> None:
    put(tmp_path / "Inbox", "17.host,U=812:2,", "one")
    with opened(tmp_path) as store:
        [one] = store.mails()
        store.local.relabel(one.key, ["flagged"], ["unread"])
        assert files(tmp_path / "Inbox") == ["17.host,U=812:2,FS"]


def test_a_draft_that_mbsync_numbers_is_the_same_draft(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        number = store.save_draft(mail("draft"), key="k1")
        (tmp_path / "Drafts/cur/k1:2,DS").rename(tmp_path / "Drafts/cur/k1,U=7:2,DS")
        assert store.draft_numbers() == {number: "k1"}
        assert store.save_draft(mail("draft"), key="k1") == number
        assert files(tmp_path / "Drafts") == ["k1,U=7:2,DS"]


def test_an_index_of_before_keeps_its_numbers_and_where_mails_came_from(tmp_path: Path) -> None:
    put(tmp_path / "Inbox", "17.host,U=812:2,S", "other")
    put(tmp_path / "Inbox", "18.host,U=813:2,S", "one")
    with opened(tmp_path) as store:
        [one] = [one for one in store.mails() if one.subject == "one"]
        store.move(store.move(one, "Archive"), "Trash")
    tables = ("mails", "chains", "origins", "words")
    with sqlite3.connect(tmp_path / "index.sqlite") as index:
        for table in tables:
            index.execute(f"UPDATE {table} SET key = '18.host,U=813' WHERE key = '18.host'")
    index.close()
    with opened(tmp_path) as store:
        [again] = store.mails("Trash")
        assert (again.number, store.origin(again)) == (one.number, "Archive")


def test_what_is_marked_as_deleted_is_not_listed_counted_or_found_and_has_its_number_when_the_mark_is_gone(tmp_path: Path) -> None:
    put(tmp_path / "Inbox", "1.host:2,S", "kept")
    put(tmp_path / "Inbox", "2.host:2,", "thrown")
    with opened(tmp_path) as store:
        tools = MailTools(store).handlers()
        numbers = {one.subject: one.number for one in store.mails()}
        (tmp_path / "Inbox/cur/2.host:2,").rename(tmp_path / "Inbox/cur/2.host:2,T")
        assert text_of(tools["search_mail"]).startswith("1 mail\n")
        assert "thrown" not in text_of(tools["search_mail"], query="thrown")
        assert (shown(store), store.mail(numbers["thrown"])) == (["kept"], None)
        (tmp_path / "Inbox/cur/2.host:2,T").rename(tmp_path / "Inbox/cur/2.host:2,")
        back = store.mail(numbers["thrown"])
        assert back is not None
        assert (back.subject, back.is_unread) == ("thrown", True)


def test_a_draft_that_is_marked_as_deleted_is_none_and_a_sent_mail_is_still_proof_that_it_left(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        store.save_draft(mail("draft"), key="k1")
        (tmp_path / "Drafts/cur/k1:2,DS").rename(tmp_path / "Drafts/cur/k1:2,DST")
        assert store.draft_numbers() == {}
        number = store.save_draft(mail("again"), key="k1")
        assert store.draft_numbers() == {number: "k1"}
        assert store.drafts.read("k1") == mail("again")
        put(tmp_path / "Sent", f"{sent_key('u1')}:2,ST", "sent")
        assert LocalCarrier(store.sent).was_carried("u1") is True
        assert LocalCarrier(store.sent).was_carried("u2") is False


def test_in_the_trash_what_is_marked_as_deleted_is_shown_and_comes_back_without_the_mark(tmp_path: Path) -> None:
    put(tmp_path / "Trash", "1.host,U=9:2,ST", "thrown")
    with opened(tmp_path) as store:
        [thrown] = store.mails("Trash")
        assert store.move(thrown, "Inbox").subject == "thrown"
        assert (files(tmp_path / "Inbox"), files(tmp_path / "Trash")) == (["1.host:2,S"], [])


@pytest.mark.parametrize("name", ["INBOX", "inbox", ".INBOX"])
@pytest.mark.parametrize("is_second_start", [False, True])
def test_an_inbox_in_other_letters_is_the_inbox(tmp_path: Path, name: str, is_second_start: bool) -> None:
    if is_second_start:  # which was made beside it before
        Maildir(tmp_path / "Inbox")
    put(tmp_path / name, "1.host,U=1:2,", "first")
    put(tmp_path / "Archive", "2.host,U=1:2,", "old")
    with opened(tmp_path) as store:
        assert (shown(store), list(others(store))) == (["first"], [])
        [old] = store.mails("Archive")
        store.move(old, "Inbox")
        assert files(tmp_path / name) == ["1.host,U=1:2,", "2.host:2,"]
        assert (tmp_path / "Inbox").exists() == is_second_start


def test_layouts_that_have_an_inbox_stay_as_they_are(tmp_path: Path) -> None:
    put(tmp_path / "two/Inbox", "1:2,", "ours")
    put(tmp_path / "two/INBOX", "2:2,", "theirs")
    with opened(tmp_path / "two") as store:
        assert (shown(store), shown(store, "INBOX"), list(others(store))) == (["ours"], ["theirs"], ["INBOX"])
    put(tmp_path / "dotted", "1:2,", "root")
    put(tmp_path / "dotted/.Projects.Roof", "2:2,", "roof")
    put(tmp_path / "dotted/.Archive", "3:2,", "old")
    with opened(tmp_path / "dotted") as store:
        assert (shown(store), shown(store, "Archive"), shown(store, "Projects.Roof")) == (["root"], ["old"], ["roof"])
        assert list(others(store)) == ["Projects.Roof"]
        assert not (tmp_path / "dotted/Archive").exists()


def test_folders_in_folders_are_listed_searched_and_moved_to(tmp_path: Path) -> None:
    at = ("Projects/Roof", "[Gmail]/Sent Mail", "Top", "Top/.Sub/.Deep", "Inbox/Later", "Top/.Sub")
    for number, folder in enumerate(at, 1):
        put(tmp_path / folder, f"{number}.host,U=1:2,S", f"in{number}")
    with opened(tmp_path) as store:
        assert list(others(store)) == ["[Gmail]/Sent Mail", "Inbox/Later", "Projects/Roof", "Top", "Top/Sub", "Top/Sub/Deep"]
        assert [shown(store, name) for name in others(store)] == [["in2"], ["in5"], ["in1"], ["in3"], ["in6"], ["in4"]]
        tools = MailTools(store).handlers()
        assert "in1" in text_of(tools["find_mails"], query="hi", folder="projects/roof")
        [deep] = store.mails("Top/Sub/Deep")
        assert store.move(deep, "Projects/Roof").folder == "Projects/Roof"
        assert files(tmp_path / "Projects/Roof") == ["1.host,U=1:2,S", "4.host:2,S"]


def test_the_walk_for_folders_ends_and_leaves_the_store_by_no_link(tmp_path: Path) -> None:
    store_at = tmp_path / "store"
    for folder in ("a/b/c/d", "a/b/c/d/e", ".git/refs", "Inbox/cur/x"):
        put(store_at / folder, "1:2,S", "x")
    put(tmp_path / "elsewhere", "2:2,S", "linked")
    put(tmp_path / "elsewhere/private", "3:2,S", "private")
    (store_at / "linked").symlink_to(tmp_path / "elsewhere")
    (store_at / "a/linked").symlink_to(tmp_path / "elsewhere")
    (store_at / "a/b/up").symlink_to(store_at)
    with opened(store_at) as store:
        # A link among the store's own folders is somebody's wish, and was followed before.
        assert (list(others(store)), shown(store, "linked")) == (["a/b/c/d", "linked"], ["linked"])
