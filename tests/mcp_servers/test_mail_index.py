"""The index of mails answers exactly what a search through the mails themselves does, whatever becomes of the mails and of its file."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_servers.mailbox.local_account import LocalAccount
from mcp_servers.mailbox.maildir import Maildir
from mcp_servers.mailbox.message.mime import parse
from mcp_servers.mailbox.message.opening import message_of
from mcp_servers.mailbox.store import MailStore
from mcp_servers.outside.quoting import clean_text, hidden_counts
from mcp_servers.wording import holds

VOCABULARY = [
    "budget",
    "budgets",
    "Budge",
    "caf\u00e9",
    "cafe",
    "Bruno\u2019s",
    "s",
    "ss",
    "it's",
    "re_view",
    "\u00fcber",
    "2026",
    "Bill",
    "bills",
]
WORDS = st.sampled_from(VOCABULARY)
ASKED = st.lists(st.sampled_from([*VOCABULARY, "budgte", "bud", "bu", "nothing"]), min_size=1, max_size=3)
START = "import sys; from pathlib import Path; from mcp_servers.mailbox.store import MailStore\n"


def mail(*words: str, subject: str = "Hello", sender: str = "Anna <anna@example.org>") -> bytes:
    return f"From: {sender}\nSubject: {subject}\nDate: Fri, 20 Nov 2026 10:00:00 +0100\n\n{' '.join(words)}\n".encode()


def by_hand(folder: Maildir, wanted: tuple[str, ...]) -> set[str]:
    """Every mail, read whole."""
    texts: dict[str, str] = {}
    for key in folder.entries():
        parsed = parse(folder.read(key) or b"")
        texts[key] = f"{parsed.subject} {parsed.sender.name} {parsed.sender.address} {parsed.text}"
    return {key for key, text in texts.items() if holds(text, wanted)} or {
        key for key, text in texts.items() if holds(text, wanted, is_forgiving=True)
    }


def asked(store: MailStore, wanted: tuple[str, ...]) -> set[str]:
    return {found.key for found in store.holding(store.mails(), wanted)}


def words(text: str) -> tuple[str, ...]:
    return tuple(text.casefold().split())


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_the_index_answers_what_the_mails_themselves_do_also_after_they_change(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = MailStore(tmp_path_factory.mktemp("mail"))
    inbox, archive = store.inbox, store.local.maildir("Archive")
    changes = data.draw(st.lists(st.sampled_from(["add", "remove", "rewrite", "move", "back", "ask"]), min_size=3, max_size=12))
    for number, change in enumerate(changes):
        content = mail(*data.draw(st.lists(WORDS, max_size=4)), subject=data.draw(WORDS), sender=f"{data.draw(WORDS)} <a@example.org>")
        present = sorted(inbox.entries())
        if change == "add":
            inbox.add(content, key=f"k{number}")
        elif change == "remove" and present:
            inbox.remove(present[0])
        elif change == "rewrite" and present:
            inbox.entries()[present[-1]].path.write_bytes(content + b"x" * number)
        elif change == "move" and present:
            inbox.hand_over(present[0], archive)
        elif change == "back" and archive.entries():
            archive.hand_over(sorted(archive.entries())[0], inbox)
        elif change == "ask":
            store.mails("Archive")
        wanted = words(" ".join(data.draw(ASKED)))
        assert asked(store, wanted) == by_hand(inbox, wanted)
    store.close()


def test_a_mail_that_is_deleted_leaves_the_index_and_one_that_is_moved_keeps_its_number(tmp_path: Path) -> None:
    store = MailStore(tmp_path)
    for key, word in (("a", "zanzibar"), ("b", "quicksilver")):
        store.inbox.add(mail(word), key=key)
    moved = next(found for found in store.mails() if found.key == "b")
    assert b"zanzibar" in stored(store, tmp_path)
    store.inbox.remove("a")
    store.inbox.hand_over("b", store.local.maildir("Archive"))
    assert store.mails() == ()
    assert [found.number for found in store.mails("Archive")] == [moved.number]
    held = stored(store, tmp_path)
    assert b"zanzibar" not in held
    assert b"quicksilver" in held


def stored(store: MailStore, folder: Path) -> bytes:
    """What lies on the disk once the store is closed."""
    store.close()
    file = folder / "index.sqlite"
    assert file.stat().st_mode & 0o077 == 0
    content = file.read_bytes()
    store.__init__(folder)
    return content


@pytest.mark.parametrize("damage", ["not a database", "", "a hole"])
def test_a_damaged_index_is_made_again_and_no_number_of_before_names_another_mail(tmp_path: Path, damage: str) -> None:
    store = MailStore(tmp_path)
    for number in range(30):
        store.inbox.add(mail("plan", f"number{number}" * 20), key=f"k{number:02d}")
    draft = store.save_draft(mail("draft"), key="first")
    before = {found.number: found.key for found in store.mails()}
    store.close()
    spoil(tmp_path / "index.sqlite", damage)
    again = MailStore(tmp_path)
    after = {found.number: found.key for found in again.mails()}
    assert sorted(after.values()) == sorted(before.values())
    assert asked(again, ("number7",)) == by_hand(again.inbox, ("number7",)) != set()
    if damage:  # an empty file is a new index
        assert not {*before} & {*after}
        assert draft not in again.draft_numbers()
    assert [*again.draft_numbers().values()] == ["first"]


def spoil(file: Path, damage: str) -> None:
    if damage != "a hole":
        file.write_bytes(damage.encode() * 100)
        return
    content = bytearray(file.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    file.write_bytes(bytes(content))


def test_a_process_follows_another_that_began_the_index_anew(tmp_path: Path) -> None:
    server, outbox = MailStore(tmp_path), MailStore(tmp_path)
    server.inbox.add(mail("plan"), key="a")
    assert [found.key for found in server.mails()] == [found.key for found in outbox.mails()] == ["a"]
    for ending in ("-wal", "-shm", ""):
        (tmp_path / f"index.sqlite{ending}").unlink(missing_ok=True)
    draft = server.save_draft(mail("draft"), key="d")
    assert outbox.draft_numbers() == {draft: "d"}
    assert [found.number for found in outbox.mails()] == [found.number for found in server.mails()]


def test_two_processes_that_index_at_once_agree(tmp_path: Path) -> None:
    folder = MailStore(tmp_path).inbox.folder
    for number in range(120):
        (folder / "cur" / f"k{number}:2,S").write_bytes(mail("plan", str(number)))
    code = START + "print(sorted((mail.number, mail.key) for mail in MailStore(Path(sys.argv[1])).mails()))"
    running = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert said[0] == said[1]
    assert said[0].count("k") == 120


@given(
    st.sampled_from(["Subject", "From", "To", "Content-Type", "Content-Disposition", "Date", "Message-ID", "References"]),
    st.one_of(
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60),
        st.sampled_from(
            ["=?utf-8?q?caf=C3=A9?=", "caf\u00e9", "a@b, C D <c@d>", 'text/plain; charset="latin-1"', "attachment; filename*=utf-8''x%20y"]
        ),
    ),
)
def test_a_header_is_read_as_the_library_reads_it_however_often(name: str, value: str) -> None:
    content = f"{name}: {value}\n\nx".encode()
    library: Any = message_from_bytes(content, policy=policy.default)
    ours: Any = message_of(content)
    for _ in range(2):
        assert read(ours, name) == read(library, name)


def read(message: Any, name: str) -> object:
    try:
        header = message[name]
        return str(header), message.get_content_type(), message.get_filename()
    except Exception as error:  # noqa: BLE001 - the library breaks on some; ours breaks alike
        return type(error)


@given(st.text(max_size=80))
def test_a_text_is_cleaned_character_by_character(text: str) -> None:
    assert clean_text(text) == clean_text("".join(clean_text(character) if not character.isspace() else character for character in text))
    assert hidden_counts(clean_text(text)) == {}


_OLDEST = """
CREATE TABLE mails (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, sender_name TEXT NOT NULL, sender TEXT NOT NULL,
    subject TEXT NOT NULL, sent_at REAL NOT NULL, recipients TEXT NOT NULL, text TEXT NOT NULL);
CREATE TABLE drafts (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE);
"""
_OLDER = f"""{_OLDEST}
CREATE TABLE chains (key TEXT PRIMARY KEY, message_id TEXT NOT NULL, refs TEXT NOT NULL);
CREATE TABLE origins (key TEXT PRIMARY KEY, folder TEXT NOT NULL);
INSERT INTO chains VALUES ('a', '<a@example.org>', '[]');
INSERT INTO origins VALUES ('gone', 'Archive');
"""


@pytest.mark.parametrize("made_by", [_OLDEST, _OLDER])
def test_an_index_of_an_older_version_keeps_every_number_and_loses_its_texts(tmp_path: Path, made_by: str) -> None:
    folders = MailStore(tmp_path)
    for key, word in (("a", "quicksilver"), ("b", "mercury")):
        folders.inbox.add(mail(word), key=key)
    folders.local.maildir("Trash").add(mail("thrown"), key="gone")
    folders.drafts.add(mail("draft"), key="d", flags="DS")
    folders.close()
    file = tmp_path / "index.sqlite"
    for ending in ("-wal", "-shm", ""):
        file.with_name(f"index.sqlite{ending}").unlink(missing_ok=True)
    old = sqlite3.connect(file)
    old.executescript(made_by)
    old.executemany(
        "INSERT INTO mails VALUES (?, ?, 'Anna', 'anna@example.org', 'Hello', 1763629200.0, '[]', 'a text that was kept then')",
        [(41, "b"), (57, "a"), (58, "gone")],
    )
    old.execute("INSERT INTO drafts VALUES (9, 'd')")
    old.commit()
    old.close()
    store = MailStore(tmp_path)
    assert {found.number: found.key for found in store.mails()} == {41: "b", 57: "a"}
    assert asked(store, ("quicksilver",)) == {"a"}
    assert store.draft_numbers() == {9: "d"}
    thrown = store.mail(58)
    assert thrown is not None
    assert store.move(thrown, store.origin(thrown)).folder == ("Archive" if made_by is _OLDER else "Inbox")
    store.inbox.add(mail("later"), key="c")
    [fresh] = {found.number for found in store.mails()} - {41, 57, 58}
    assert fresh > 58
    assert b"kept then" not in stored(store, tmp_path)


def test_after_damage_every_mail_of_every_folder_and_account_is_there(tmp_path: Path) -> None:
    store = MailStore(tmp_path, [LocalAccountElsewhere(tmp_path / "elsewhere")])
    for folder in ("Inbox", "Archive", "Sent", "Trash"):
        for account in store.accounts:
            assert isinstance(account, LocalAccount)
            account.maildir(folder).add(mail(f"{folder}of{account.name}"), key=f"{folder}{account.name}")
    folders = ("Inbox", "Archive", "Sent", "Trash")
    before = {(found.account, found.folder, found.key) for found in store.mails(*folders)}
    assert len(before) == 8
    store.close()
    spoil(tmp_path / "index.sqlite", "a hole")
    again = MailStore(tmp_path, [LocalAccountElsewhere(tmp_path / "elsewhere")])
    found = again.mails(*folders)
    assert {(one.account, one.folder, one.key) for one in found} == before
    assert {one.key for one in again.holding(found, ("trashofelsewhere",))} == {"Trashelsewhere"}
    thrown = next(one for one in found if one.key == "Trashelsewhere")
    assert again.move(thrown, again.origin(thrown)).folder == "Inbox"  # where it was before nobody knows any more
    again.close()


class LocalAccountElsewhere(LocalAccount):
    """A second account, whose mails are files too."""

    @property
    def name(self) -> str:
        return "elsewhere"
