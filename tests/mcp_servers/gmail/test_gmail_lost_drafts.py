"""A draft that Gmail has and we do not know of, because the process died or the answer was lost: it is taken over, or it is said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mcp_servers.mail.server import MailTools
from mcp_servers.mailbox import draft_keeping, unplaced
from mcp_servers.mailbox.gmail import drafts as gmail_drafts
from mcp_servers.mailbox.store import MailStore
from mcp_servers.mailbox.thread_mark import draft_of
from mcp_servers.mailbox.unplaced import Unplaced
from mcp_servers.protocol.calls import Handler, Outcome, Plan
from tests.fakes.gmail import FakeGmail
from tests.fakes.gmail_mailbox import FakeMail
from tests.fakes.google_api import Silence, refusal
from tests.mcp_servers.calling import call, carried_out, text_of
from tests.mcp_servers.gmail_desk import GmailDesk, carrier, outbox_of
from tests.mcp_servers.google_desk import at
from tests.mcp_servers.granting import approved

CREATE = "gmail.users.drafts.create"
STILL_THERE = 'work: the draft "Dinner", which was sent or discarded here, is still among its drafts.'


class Killed(BaseException):
    """As by `kill -9`: nothing handles it."""


@pytest.fixture
def plan(desk: GmailDesk, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Of a draft that Gmail has made, when the process that asked for it died before it kept the answer."""

    def dies(*_: object) -> str:
        raise Killed

    dead = desk.store()
    plan = MailTools(dead).draft_mail(call(to="bruno@example.org", body="Yes.", subject="Dinner"))
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(gmail_drafts.GmailDrafts, "_message_id", dies)
        carried_out(MailTools(dead).draft_mail, plan)
    dead.close()
    return plan


def tools_of(store: MailStore) -> dict[str, Handler]:
    return MailTools(store).handlers()


def drafts(google: FakeGmail) -> list[FakeMail]:
    return [mail for mail in google.mailbox.mails.values() if "DRAFT" in mail.labels]


def listed(store: MailStore) -> Outcome:
    done = tools_of(store)["list_drafts"](call())
    assert isinstance(done, Outcome)
    return done


@pytest.mark.usefixtures("plan")
def test_the_next_process_takes_over_what_a_crash_left_at_gmail(store: MailStore, google: FakeGmail) -> None:
    assert listed(store).text == '1 draft\nd1 to bruno@example.org, subject "Dinner": Yes.'
    [content] = [store.drafts.read(key) or b"" for key in store.drafts.entries()]
    assert draft_of(content) in google.mailbox.drafts.mails
    asked = len(google.requests)
    assert (listed(store).structured["problems"], len(google.requests)) == ([], asked)  # it is settled: nobody looks again
    assert text_of(tools_of(store)["find_mails"], folder="Drafts").startswith("1 mail\n")
    assert google.ids().count("drafts.create") == 1


def test_the_call_that_is_repeated_makes_no_twin_however_many_drafts_were_written_since(
    plan: Plan, store: MailStore, google: FakeGmail
) -> None:
    google.mailbox.page = 2
    for number in range(5):
        google.mailbox.drafts.add(f"Date: Sat, 21 Nov 2026 12:00:00 +0100\r\nSubject: {number}\r\n\r\nx".encode())
    google.mailbox.drafts.add(b"Date: Sat, 21 Feb 2026 12:00:00 +0100\r\nSubject: old\r\n\r\nx")
    done = carried_out(MailTools(store).draft_mail, plan)
    assert (done.structured["draft"]["account"], done.structured["problems"]) == ("work", [])
    assert google.ids().count("drafts.create") == 1
    assert len(drafts(google)) == 7


def test_where_nobody_can_look_no_twin_is_made(plan: Plan, store: MailStore, google: FakeGmail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gmail_drafts, "MAX_LOOKED", 2)
    google.mailbox.page = 2
    for number in range(5):
        google.mailbox.drafts.add(f"Date: Sat, 21 Nov 2026 12:00:00 +0100\r\nSubject: {number}\r\n\r\nx".encode())
    said = "work: It is not known whether the draft is at Gmail. Look there."
    assert carried_out(MailTools(store).draft_mail, plan).structured["problems"] == [said]
    assert listed(store).text.endswith(said)
    google.mailbox.page = 500
    google.before = at("gmail.users.messages.get", refusal(500))  # Gmail does not show the mails
    assert carried_out(MailTools(store).draft_mail, plan).structured["problems"] == [said]
    assert google.ids().count("drafts.create") == 1


@pytest.mark.usefixtures("plan")
def test_a_draft_that_is_thrown_away_before_anybody_looked_is_gone_at_gmail_too(store: MailStore, google: FakeGmail) -> None:
    assert text_of(tools_of(store)["discard_draft"], draft="d1") == 'Discarded draft d1 to bruno@example.org, subject "Dinner": Yes.'
    assert (drafts(google), store.drafts.entries(), listed(store).text) == ([], {}, "No drafts found")


@pytest.mark.usefixtures("plan")
def test_one_that_somebody_wrote_on_at_gmail_meanwhile_stays_there_and_that_is_said(store: MailStore, google: FakeGmail) -> None:
    [there] = drafts(google)
    there.raw = there.raw.replace(b"Yes.", b"Yes, and I bring wine.")
    said = "work: somebody has changed the draft there since. It stays there."
    assert text_of(tools_of(store)["discard_draft"], draft="d1").split("\n")[1:] == [said]
    assert len(drafts(google)) == 1
    assert listed(store).structured["problems"] == []


@pytest.mark.usefixtures("plan")
def test_one_that_was_sent_before_anybody_looked_is_said_and_taken_away_with_the_next_draft(
    store: MailStore, google: FakeGmail, tmp_path: Path
) -> None:
    outbox = outbox_of(store, tmp_path, carrier(google))
    approved(outbox.send_draft, outbox.send_draft(call(draft="d1")))
    assert (len(google.mailbox.sent()), len(drafts(google))) == (1, 1)
    for _ in range(2):
        shown = listed(store)
        assert shown.text.startswith(f"No drafts found\n{STILL_THERE}")
        assert shown.structured["problems"][0].startswith(STILL_THERE)
    text_of(tools_of(store)["draft_mail"], to="carla@example.org", body="Hello.", subject="Other")
    assert [str(mail.message["Subject"]) for mail in drafts(google)] == ["Other"]
    assert listed(store).structured["problems"] == []


def test_a_draft_that_comes_late_to_gmail_is_found_and_one_that_never_came_is_not_looked_for_for_ever(
    store: MailStore, google: FakeGmail
) -> None:
    google.before = at(CREATE, Silence())
    assert text_of(tools_of(store)["draft_mail"], to="bruno@example.org", body="Yes.", subject="Dinner").endswith("No answer from: work")
    google.before = lambda _: None
    assert listed(store).structured["problems"] == []
    [note] = (store.folder / "unplaced").iterdir()
    os.utime(note, times=(0, note.stat().st_mtime - draft_keeping.LATE_S - 60))
    assert listed(store).structured["problems"] == []
    assert list((store.folder / "unplaced").iterdir()) == []


@pytest.mark.usefixtures("plan")
def test_gmail_that_gives_no_answer_is_asked_again_the_next_time(store: MailStore, google: FakeGmail) -> None:
    google.before = at("gmail.users.drafts.list", refusal(500))
    assert listed(store).structured["problems"][0].startswith("work: Gmail failed")
    google.before = lambda _: None
    assert listed(store).structured["problems"] == []


@pytest.mark.usefixtures("plan")
def test_an_account_that_gives_no_answer_is_not_waited_for_once_more_for_each_draft(store: MailStore, google: FakeGmail) -> None:
    [key] = store.drafts.entries()
    notes = Unplaced(store.folder)
    for other in ("0", "1", "2"):
        notes.note(other, "work", store.drafts.read(key) or b"")
    google.before = at("gmail.users.drafts.list", refusal(500))
    before = google.ids().count("drafts.list")
    [said] = listed(store).structured["problems"]
    asked = google.ids().count("drafts.list") - before
    assert said.startswith("work: Gmail failed")
    text_of(tools_of(store)["discard_draft"], draft="d1")
    assert google.ids().count("drafts.list") - before == 2 * asked
    assert len(notes.waiting()) == 4


def test_the_note_of_an_account_that_is_gone_goes_as_well(store: MailStore) -> None:
    notes = Unplaced(store.folder)
    notes.note("0", "gone", b"Subject: private\r\n\r\nx")
    assert listed(store).structured["problems"] == []
    assert len(notes.waiting()) == 1
    [file] = (store.folder / "unplaced").iterdir()
    os.utime(file, times=(0, file.stat().st_mtime - unplaced.LONGEST_S - 60))
    listed(store)
    assert list((store.folder / "unplaced").iterdir()) == []
