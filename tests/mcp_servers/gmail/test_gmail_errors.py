"""Whatever Gmail answers, or does not, is one sentence that says what to do next; nothing is changed twice or lost unsaid."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from pydantic import SecretStr

from mcp_servers.accounts.google_api import LONGEST_WAIT_S, MAX_TRIES, GoogleApi
from mcp_servers.accounts.google_http import GoogleHttp
from mcp_servers.errors import Refusal
from mcp_servers.mailbox.accounts import AccountFailed, NotAll
from mcp_servers.mailbox.gmail.account import GMAIL
from tests.fakes.gmail import FakeGmail
from tests.fakes.google_api import Answer, Silence, refusal
from tests.fakes.google_description import Called
from tests.mcp_servers.calling import call
from tests.mcp_servers.gmail_desk import GmailDesk, MailTokens
from tests.mcp_servers.google_desk import IMPATIENT, at

LIST = "gmail.users.messages.list"
GET = "gmail.users.messages.get"
MODIFY = "gmail.users.messages.modify"
REFUSED = "Try other values, or do it at Google itself. Nothing was done."
LOGIN = "Log in again: `variet login google --account work --scope mail-read`."
TROUBLES: list[tuple[Answer, str]] = [
    (refusal(400, "invalidArgument"), f"Gmail refused the request (HTTP 400, invalidArgument). {REFUSED}"),
    (refusal(401, "authError"), f"Gmail does not take the login any more. {LOGIN}"),
    (refusal(403, "insufficientPermissions"), f"Gmail was not allowed to do that. {LOGIN}"),
    (refusal(403, "accessNotConfigured"), "Gmail is not switched on for your client. Enable its API in the Google Cloud console."),
    (refusal(403, "dailyLimitExceeded"), "Gmail has been asked as much as it allows. Try again tomorrow."),
    (refusal(403, "userRateLimitExceeded"), "Gmail is asked too often. Try again later."),
    (refusal(403, "forbidden"), "Gmail does not allow that. Ask whose it is to let you, or do it at Google itself. Nothing was done."),
    (refusal(404, "notFound"), "Gmail has no such thing any more. Look again."),
    (refusal(410, "deleted"), "Gmail has no such thing any more. Look again."),
    (refusal(412, "conditionNotMet"), "Gmail says that it has changed since. Look again."),
    (Answer(429, None, {"Retry-After": "30"}), "Gmail is asked too often. Try again in 30 s."),
    (refusal(500, "backendError"), "Gmail failed (HTTP 500). Try again later."),
    (refusal(503), "Gmail failed (HTTP 503). Try again later."),
    (Answer(302, None, {"Location": "https://evil.example.com/"}), f"Gmail refused the request (HTTP 302). {REFUSED}"),
]  # fmt: skip


def failure(act: Callable[[], object]) -> str:
    with pytest.raises(AccountFailed) as failed:
        act()
    return str(failed.value)


@pytest.mark.parametrize(("answer", "sentence"), TROUBLES)
def test_whatever_gmail_answers_is_one_sentence_that_says_what_to_do(
    desk: GmailDesk, google: FakeGmail, answer: Answer, sentence: str
) -> None:
    google.before = lambda _: answer
    assert failure(lambda: desk.account().listing("Inbox")) == f"work: {sentence}"
    assert "planted-prose" not in sentence


def test_an_account_without_an_answer_is_named_and_hides_no_other_mail(desk: GmailDesk, google: FakeGmail) -> None:
    store = desk.store()
    store.inbox.add(b"From: Bo <bo@example.org>\r\nSubject: Tea\r\nDate: Fri, 20 Nov 2026 10:00:00 +0100\r\n\r\nx\r\n")
    google.before = lambda _: refusal(500)
    found = store.mails()
    assert [mail.subject for mail in found] == ["Tea"]
    assert store.problems == ("work: Gmail failed (HTTP 500). Try again later.",)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "gmail/v1/users/me/messages?labelId=INBOX", None),
        ("GET", "gmail/v1/users/me/messages?maxResults=many", None),
        ("GET", "gmail/v1/users/me/messages/18c?format=everything", None),
        ("GET", "gmail/v1/users/me/mails", None),
        ("POST", "gmail/v1/users/me/messages/18c/modify", {"addLabels": ["INBOX"]}),
        ("POST", "gmail/v1/users/me/messages/send", {"raw": 7}),
    ],
)
def test_the_stand_in_refuses_what_google_does_not_describe(
    google: FakeGmail, method: str, path: str, body: dict[str, object] | None
) -> None:
    answer = httpx2.request(method, f"{google.url}{path}", json=body, headers={"authorization": "Bearer token-write"}, trust_env=False)
    assert (answer.status_code, len(google.violations)) == (400, 1)
    google.violations.clear()


def test_the_stand_in_gives_no_token_more_than_it_allows(google: FakeGmail) -> None:
    raw = base64.urlsafe_b64encode(b"To: bo@example.org\r\n\r\nx").decode()
    for token, path, body in (
        ("token-read", "messages/18c/modify", {"addLabelIds": ["INBOX"]}),
        ("token-send", "messages/18c/modify", {"addLabelIds": ["INBOX"]}),
        ("token-read", "messages/send", {"raw": raw}),
    ):
        url = f"{google.url}gmail/v1/users/me/{path}"
        assert httpx2.post(url, json=body, headers={"authorization": f"Bearer {token}"}, trust_env=False).status_code == 403
    assert google.mailbox.mails == {}


@pytest.mark.parametrize("answer", [refusal(429), refusal(403, "rateLimitExceeded"), refusal(500)])
def test_a_question_is_asked_again_later_and_not_without_end(desk: GmailDesk, google: FakeGmail, answer: Answer) -> None:
    desk.add(1)
    google.before = at(LIST, answer, 2)
    assert len(desk.account().listing("Inbox").unread) == 1
    assert 1 <= desk.waits[0] < 2 <= desk.waits[1] < 3
    google.before = at(LIST, answer)
    google.asked.clear()
    failure(lambda: desk.account().listing("Inbox"))
    assert google.ids().count("messages.list") == MAX_TRIES
    assert max(desk.waits) <= LONGEST_WAIT_S


def test_what_a_batch_was_refused_is_asked_again_and_else_said(desk: GmailDesk, google: FakeGmail) -> None:
    mails = [desk.add(number) for number in range(4)]
    keys = [mail.id for mail in mails]
    google.before = at(GET, refusal(429), 1)
    assert len(list(desk.account().heads(keys))) == 4

    def second(called: Called) -> Answer | None:
        return refusal(429) if called.path.get("id") == keys[1] else None

    google.before = second
    read: list[str] = []
    with pytest.raises(NotAll, match="1 mails are not read yet. Gmail is asked too often"):
        read += [key for key, _ in desk.account().heads(keys)]
    assert google.mailbox.mails.keys() == {*keys}
    google.before = lambda _: None
    del google.mailbox.mails[keys[2]]
    assert [key for key, _ in desk.account().heads(keys)] == [keys[0], keys[1], keys[3]]


@pytest.mark.parametrize("trouble", [Silence(), refusal(500), refusal(503)])
def test_a_move_without_an_answer_is_looked_up_and_never_repeated(desk: GmailDesk, google: FakeGmail, trouble: Answer | Silence) -> None:
    mail = desk.add(1)
    account = desk.account()
    google.before = at(MODIFY, trouble, 1)
    assert failure(lambda: account.move(mail.id, "Archive")).endswith("The mail was not moved.")
    assert mail.labels == {"INBOX"}
    google.before = lambda _: None
    google.after = at(MODIFY, trouble, 1)
    assert account.move(mail.id, "Archive") == mail.id
    assert mail.labels == set()
    assert google.ids().count("messages.modify") == 2


@pytest.mark.parametrize("is_after", [False, True])
def test_a_move_that_times_out_is_looked_up(google: FakeGmail, tmp_path: Path, is_after: bool) -> None:
    desk = GmailDesk(google, tmp_path, timeouts_s=IMPATIENT)
    mail = desk.add(1)
    account = desk.account()
    account.listing("Inbox")
    if is_after:
        google.after = at(MODIFY, Silence(held=True), 1)
        account.move(mail.id, "Archive")
    else:
        google.before = at(MODIFY, Silence(held=True), 1)
        assert failure(lambda: account.move(mail.id, "Archive")) == (
            "work: Gmail did not answer in time. Try again later. The mail was not moved."
        )
    assert google.ids().count("messages.modify") == 1


def test_where_looking_fails_too_it_is_said_that_nothing_is_known(desk: GmailDesk, google: FakeGmail) -> None:
    mail = desk.add(1)
    account = desk.account()
    account.listing("Inbox")

    def silent(called: Called) -> Answer | None:
        if called.method == MODIFY:
            google.before = at(GET, refusal(403, "forbidden"))
            raise Silence
        return None

    google.after = silent
    assert failure(lambda: account.move(mail.id, "Archive")) == "work: it is not known whether the mail was moved. Look again."


def test_a_token_that_is_not_taken_is_replaced_once(google: FakeGmail, tmp_path: Path) -> None:
    desk = GmailDesk(google, tmp_path, MailTokens({"mail-read": "old"}, fresh="token-read"))
    desk.add(1)
    assert len(desk.account().listing("Inbox").unread) == 1
    desk = GmailDesk(google, tmp_path, MailTokens({"mail-read": "old"}, fresh="older"))
    assert failure(lambda: desk.account().listing("Inbox")) == f"work: Gmail does not take the login any more. {LOGIN}"
    assert [refused for _, refused in desk.tokens.asked] == [False, True]


def test_the_token_goes_to_no_other_house(google: FakeGmail) -> None:
    tokens = MailTokens()
    http = GoogleHttp("work", "Gmail", tokens, "https://gmail.googleapis.com/", dict)
    http.scopes = "mail-read"
    for url in (google.url, "http://gmail.googleapis.com/batch", "https://gmail.googleapis.com.evil.example/x"):
        with pytest.raises(Refusal, match="asked at another address"):
            http.request(url)
    assert (tokens.asked, google.requests) == ([], [])
    http.close()


def test_the_token_is_in_no_log_error_or_result(desk: GmailDesk, google: FakeGmail, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    desk.add(1)
    said = [desk.tools()["search_mail"](call())]
    google.before = lambda _: refusal(400, "invalid")
    refused = failure(lambda: desk.account().listing("Inbox"))
    assert not {token for token in google.tokens if token in f"{said} {refused} {caplog.text}"}


def test_an_account_that_nobody_logged_in_to_says_how(google: FakeGmail) -> None:
    class Nobody:
        def bearer(self, account: str, scopes: str, *, refused: SecretStr | None = None) -> SecretStr:
            raise Refusal(f"Run `variet login google --account {account} --scope {scopes}`.")

    api = GoogleApi(GMAIL, "work", Nobody(), google.url)
    with pytest.raises(Refusal, match="variet login google --account work --scope mail-read"):
        api.ask(api.methods.users().getProfile(userId="me"))
