"""A draft of a Gmail account is among Gmail's own drafts, once, and leaves from there, once, saying what was approved and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from mcp_servers.accounts.failing import LoginNeeded
from mcp_servers.accounts.model import SERVED_BY, Grant, Grants, ScopeSet
from mcp_servers.errors import Refusal
from mcp_servers.mail.server import MailTools
from mcp_servers.mailbox.gmail import drafts as gmail_drafts
from mcp_servers.mailbox.store import MailStore
from mcp_servers.mailbox.thread_mark import draft_of, mark_of, unmarked, with_draft
from mcp_servers.outbox import gmail_carrier
from mcp_servers.outbox.delivery import UNKNOWN
from mcp_servers.outbox.server import Outbox
from mcp_servers.protocol.calls import Outcome, Plan
from tests.fakes.gmail import FakeGmail
from tests.fakes.gmail_mailbox import FakeMail
from tests.fakes.google_api import Answer, Silence, refusal
from tests.mcp_servers.calling import call, carried_out, refusal_of, text_of
from tests.mcp_servers.gmail_desk import GmailDesk, MailTokens, carrier, outbox_of
from tests.mcp_servers.google_desk import at
from tests.mcp_servers.granting import approved

CREATE, SEND = "gmail.users.drafts.create", "gmail.users.drafts.send"


def written(store: MailStore) -> Plan:
    return MailTools(store).draft_mail(call(to="bruno@example.org", body="Yes.", subject="Dinner"))


def drafted(store: MailStore, plan: Plan | None = None) -> Outcome:
    return carried_out(MailTools(store).draft_mail, plan or written(store))


def drafts(google: FakeGmail) -> list[FakeMail]:
    return [mail for mail in google.mailbox.mails.values() if "DRAFT" in mail.labels]


def refused(outbox: Outbox, plan: Plan) -> str:
    with pytest.raises(Refusal) as refusal:
        approved(outbox.send_draft, plan)
    return str(refusal.value)


def test_a_draft_is_among_gmails_own_once_and_is_shown_once(store: MailStore, google: FakeGmail) -> None:
    plan = written(store)
    for _ in range(2):
        done = drafted(store, plan)
        assert done.text == 'Draft d1 to bruno@example.org, subject "Dinner": Yes.'
        assert done.structured["draft"]["account"] == "work"
    [mail] = drafts(google)
    assert (str(mail.message["To"]), str(mail.message["Subject"])) == ("bruno@example.org", "Dinner")
    assert not [name for name in mail.message if name.lower() in ("x-variet-draft", "x-variet-thread")]
    assert google.ids().count("drafts.create") == 1
    assert text_of(MailTools(store).handlers()["find_mails"], folder="Drafts").startswith("1 mail\n")


def test_a_draft_of_an_answer_lies_in_its_conversation(desk: GmailDesk, store: MailStore, google: FakeGmail) -> None:
    first = desk.add(1)
    text_of(MailTools(store).draft_reply, mail="Plan", body="Yes.")
    assert [mail.thread for mail in drafts(google)] == [first.thread]


def test_a_large_draft_goes_up_as_a_file(store: MailStore, google: FakeGmail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gmail_drafts, "PLAIN_BYTES", 100)
    drafted(store)
    assert [mail.message.get_content().strip() for mail in drafts(google)] == ["Yes."]
    assert any(request.startswith("/upload/gmail/v1/users/me/drafts?") for request in google.requests)


def test_a_draft_whose_answer_was_lost_is_found(store: MailStore, google: FakeGmail) -> None:
    google.after = at(CREATE, Silence(), 1)
    assert drafted(store).structured["draft"]["account"] == "work"
    assert len(drafts(google)) == 1


def test_a_draft_that_gmail_does_not_take_is_kept_here_and_taken_later(store: MailStore, google: FakeGmail) -> None:
    plan = written(store)
    google.before = at(CREATE, refusal(500))
    done = drafted(store, plan)
    assert done.text.endswith("\nNo answer from: work")
    assert done.structured["problems"][0].startswith("work: ")
    google.before = lambda _: None
    assert drafted(store, plan).structured["problems"] == []
    assert (len(drafts(google)), len(store.drafts.entries())) == (1, 1)


def test_what_a_crash_left_at_gmail_is_found_again(store: MailStore, google: FakeGmail, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def dies(*_: object) -> str:
        raise Killed

    plan = written(store)
    with monkeypatch.context() as patched:
        patched.setattr(gmail_drafts.GmailDrafts, "_message_id", dies)
        with pytest.raises(Killed):
            drafted(store, plan)
    assert drafted(store, plan).structured["draft"]["account"] == "work"
    assert len(drafts(google)) == 1


def test_a_draft_leaves_from_gmail_with_a_right_that_is_asked_for_then_and_says_what_was_approved(
    store: MailStore, google: FakeGmail, tmp_path: Path
) -> None:
    tokens = MailTokens()
    outbox = outbox_of(store, tmp_path, carrier(google, tokens))
    approved(outbox.send_mail, outbox.send_mail(call(to="bruno@example.org", body="Other.")))
    assert {scopes for scopes, _ in tokens.asked} == {"send"}
    drafted(store)
    plan = outbox.send_draft(call(draft="last"))
    [there] = drafts(google)
    there.raw = there.raw.replace(b"Yes.", b"Something else.").replace(b"bruno@", b"eve@")  # somebody wrote on it at Gmail
    for _ in range(2):
        assert approved(outbox.send_draft, plan).text == 'Sent to bruno@example.org, subject "Dinner": Yes.'
    assert "compose" in {scopes for scopes, _ in tokens.asked}
    mail = google.mailbox.sent()[-1]
    assert (str(mail.message["To"]), mail.message.get_content().strip()) == ("bruno@example.org", "Yes.")
    assert (len(google.mailbox.sent()), drafts(google), store.drafts.entries()) == (2, [], {})


def test_without_that_right_nothing_leaves_and_the_sentence_says_how_to_give_it(
    store: MailStore, google: FakeGmail, tmp_path: Path
) -> None:
    class NoComposing(MailTokens):
        def bearer(self, account: str, scopes: ScopeSet, *, refused: SecretStr | None = None) -> SecretStr:
            if scopes == "compose":
                raise LoginNeeded("Run `variet login google --account work --scope compose`.")
            return super().bearer(account, scopes, refused=refused)

    drafted(store)
    outbox = outbox_of(store, tmp_path, carrier(google, NoComposing()))
    plan = outbox.send_draft(call(draft="last"))
    assert refused(outbox, plan) == "work: Run `variet login google --account work --scope compose`. Nothing was sent."
    assert (google.mailbox.sent(), len(drafts(google)), len(store.drafts.entries())) == ([], 1, 1)
    approved(outbox_of(store, tmp_path, carrier(google)).send_draft, plan)
    assert len(google.mailbox.sent()) == 1


def test_a_draft_that_was_sent_or_deleted_at_gmail_is_not_sent_from_here(store: MailStore, outbox: Outbox, google: FakeGmail) -> None:
    drafted(store)
    plan = outbox.send_draft(call(draft="last"))
    google.mailbox.drafts.mails.clear()
    assert refused(outbox, plan) == ("work: Gmail has this draft no more: it was sent or deleted there. Nothing was sent. Write it again.")
    assert google.mailbox.sent() == []


@pytest.mark.parametrize("trouble", [Silence(), refusal(500)])
@pytest.mark.parametrize("has_left", [True, False])
def test_a_draft_that_leaves_without_an_answer_is_looked_up_and_never_sent_again(
    store: MailStore, outbox: Outbox, google: FakeGmail, trouble: Answer | Silence, has_left: bool
) -> None:
    drafted(store)
    plan = outbox.send_draft(call(draft="last"))
    if has_left:
        google.after = at(SEND, trouble, 1)
        assert approved(outbox.send_draft, plan).text.startswith("Sent to bruno@example.org")
    else:
        google.before = at(SEND, trouble)
        for _ in range(2):
            assert refused(outbox, plan) == UNKNOWN
    assert (google.ids().count("drafts.send"), len(google.mailbox.sent())) == (1, int(has_left))


def test_a_large_draft_leaves_as_a_file(store: MailStore, outbox: Outbox, google: FakeGmail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gmail_carrier, "PLAIN_BYTES", 100)
    drafted(store)
    approved(outbox.send_draft, outbox.send_draft(call(draft="last")))
    assert [mail.message.get_content().strip() for mail in google.mailbox.sent()] == ["Yes."]
    assert drafts(google) == []


def test_who_may_send_drafts_may_send_mails_and_not_the_other_way_round() -> None:
    grants = Grants(grants=(Grant(account="work", scopes="compose", kept="keyring"),))
    assert (grants.accounts("send"), grants.accounts("compose"), grants.accounts("mail-read")) == (("work",), ("work",), ())
    assert SERVED_BY["compose"] == ("compose",)


def test_what_a_draft_remembers_does_not_leave() -> None:
    content = b"X-Variet-Thread: 18c\r\nMessage-ID: <ours@variet.invalid>\r\nSubject: x\r\n\r\nX-Variet-Draft: r-1\r\n"
    kept = with_draft(content, "r-77", "<CA1@mail.gmail.com>")
    assert (draft_of(kept), mark_of(kept)) == ("r-77", "18c")
    assert unmarked(kept) == b"Message-ID: <CA1@mail.gmail.com>\r\nSubject: x\r\n\r\nX-Variet-Draft: r-1\r\n"
    assert with_draft(content, "r 7\r\nBcc: eve@evil.example", "<a b>") == content
    assert (draft_of(content), draft_of(b"X-Variet-Draft: a/../b\r\n\r\n")) == ("", "")


def test_a_draft_is_thrown_away_here_and_at_gmail_and_comes_back_from_the_trash(
    store: MailStore, outbox: Outbox, google: FakeGmail
) -> None:
    tools = MailTools(store).handlers()
    drafted(store)
    plan = tools["discard_draft"](call(draft="last"))
    assert isinstance(plan, Plan)
    assert plan.execute().text == 'Discarded draft d1 to bruno@example.org, subject "Dinner": Yes.'
    assert (drafts(google), store.drafts.entries(), text_of(tools["list_drafts"])) == ([], {}, "No drafts found")
    number = next(mail.number for mail in store.mails("Trash", account="local"))
    assert text_of(tools["restore_mail"], mail=f"m{number}").startswith(f"Moved m{number} to Drafts")
    assert text_of(tools["list_drafts"]) == '1 draft\nd1 to bruno@example.org, subject "Dinner": Yes.'
    approved(outbox.send_draft, outbox.send_draft(call(draft="d1")))
    assert google.ids()[-1] == "messages.send"
    assert len(google.mailbox.sent()) == 1


def test_a_draft_that_somebody_wrote_on_at_gmail_stays_there(store: MailStore, google: FakeGmail) -> None:
    tools = MailTools(store).handlers()
    drafted(store)
    [there] = drafts(google)
    there.raw = there.raw.replace(b"Yes.", b"Yes, and I bring wine.")
    assert "work: somebody has changed the draft there since. It stays there." in text_of(tools["discard_draft"], draft="d1")
    assert (len(drafts(google)), store.drafts.entries()) == (1, {})
    assert refusal_of(tools["discard_draft"], draft="d1") == 'No draft matches "d1".'


def test_a_draft_that_is_gone_at_gmail_is_thrown_away_here(store: MailStore, google: FakeGmail) -> None:
    drafted(store)
    google.mailbox.drafts.mails.clear()
    assert text_of(MailTools(store).handlers()["discard_draft"], draft="d1").startswith("Discarded draft d1")
    assert store.drafts.entries() == {}


def test_a_mail_is_passed_on_through_gmail_as_it_came(google: FakeGmail, tmp_path: Path) -> None:
    desk = GmailDesk(google, tmp_path / "mail")
    original = desk.add(95).raw.replace(b"\n", b"\r\n")
    store = desk.store()
    done = text_of(MailTools(store).handlers()["draft_forward"], mail="Plan", to="bo@example.org")
    assert done.startswith("Draft d1 to bo@example.org")
    [draft] = drafts(google)
    assert original in draft.raw
    outbox = outbox_of(store, tmp_path, carrier(google))
    plan = outbox.send_draft(call(draft="d1"))
    assert plan.lines[-1] == ("Attached", "budget.txt, Plan.eml")
    approved(outbox.send_draft, plan)
    [mail] = google.mailbox.sent()
    assert original in mail.raw
    store.close()


def test_a_draft_to_an_address_beyond_ascii_is_kept_here_alone_and_gmail_is_not_asked(store: MailStore, google: FakeGmail) -> None:
    done = drafted(store, MailTools(store).draft_mail(call(to="j\u00f6rg@example.org", body="Yes.")))
    [problem] = done.structured["problems"]
    assert problem.startswith("work: Gmail is given no addresses with letters beyond ASCII from here (j\u00f6rg@example.org).")
    assert (done.structured["draft"]["account"], drafts(google), google.ids().count("drafts.create")) == ("", [], 0)
    assert len(store.drafts.entries()) == 1
