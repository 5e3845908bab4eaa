"""Whatever Google answers, or does not, is one sentence that says what to do next; nothing is done twice or lost unsaid."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import pytest

from mcp_servers.accounts.google_api import LONGEST_WAIT_S, MAX_TRIES
from mcp_servers.accounts.google_http import GoogleHttp
from mcp_servers.calendars.backends.local import LocalCalendars
from mcp_servers.calendars.server import Calendars
from mcp_servers.errors import Refusal
from tests.fakes.google_api import Answer, FakeGoogle, Silence, google_on_loopback, refusal
from tests.fakes.google_description import Called
from tests.mcp_servers.calling import refusal_of, text_of
from tests.mcp_servers.google_desk import IMPATIENT, MEETING, FakeTokens, GoogleDesk, at, done, planned, refused

GET = "calendar.events.get"
INSERT = "calendar.events.insert"
PATCH = "calendar.events.patch"
DELETE = "calendar.events.delete"
WHO = 'Google Calendar of "work"'
REFUSED = "Try other values, or do it at Google itself. Nothing was done."
LOGIN = "Log in again: `variet login google --account work --scope calendar`."
ENABLE = "Enable the Google Calendar API in the Google Cloud console."
TROUBLES: list[tuple[Answer, str]] = [
    (refusal(400, "invalid"), f"{WHO} refused the request (HTTP 400, invalid). {REFUSED}"),
    (Answer(400), f"{WHO} refused the request (HTTP 400). {REFUSED}"),
    (refusal(403, "insufficientPermissions"), f"{WHO} was not allowed to do that. {LOGIN}"),
    (refusal(403, "accessNotConfigured"), f"{WHO} is not switched on for your client. {ENABLE}"),
    (refusal(403, "dailyLimitExceeded"), f"{WHO} has been asked as much as it allows. Try again tomorrow."),
    (refusal(403, "userRateLimitExceeded"), f"{WHO} is asked too often. Try again later."),
    (refusal(403, "forbidden"), f"{WHO} does not allow that. Ask whose it is to let you, or do it at Google itself. Nothing was done."),
    (refusal(404, "notFound"), f"{WHO} has no such calendar or event. Look again."),
    (refusal(410, "fullSyncRequired"), f"{WHO} says that it is gone. Look again."),
    (Answer(429, None, {"Retry-After": "30"}), f"{WHO} is asked too often. Try again in 30 s."),
    (refusal(500, "backendError"), f"{WHO} failed (HTTP 500). Try again later."),
    (refusal(503), f"{WHO} failed (HTTP 503). Try again later."),
    (Answer(302, None, {"Location": "https://evil.example.com/"}), f"{WHO} refused the request (HTTP 302). {REFUSED}"),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "sentence"), TROUBLES)
def test_whatever_google_answers_is_one_sentence_that_says_what_to_do(
    tools: Calendars, google: FakeGoogle, answer: Answer, sentence: str
) -> None:
    google.before = lambda _: answer
    assert refusal_of(tools.list_events) == sentence
    assert "planted-prose" not in sentence


def test_a_failing_account_is_said_and_hides_no_other(desk: GoogleDesk, google: FakeGoogle, tmp_path: Path) -> None:
    both = desk.tools(LocalCalendars(tmp_path))
    text_of(both.create_event, title="Tea", when="tuesday at 3")
    google.before = lambda _: refusal(500)
    said = text_of(both.list_events, when="tuesday")
    assert said == f"Tue 24 Nov 2026: 1 event\n15:00-16:00 Tea\n{WHO} failed (HTTP 500). Try again later."


def test_two_accounts_are_asked_in_one_call_each_with_its_own_token(google: FakeGoogle) -> None:
    with google_on_loopback() as home:
        home.tokens = {"home-token": home.tokens["token-read"]}
        home.account.items["x"] = {**MEETING, "id": "x", "summary": "Yoga"}
        other = GoogleDesk(home, "home", FakeTokens("home-token", "home-token")).backend()
        both = Calendars(GoogleDesk(google).backend(), other)
        assert {line[-4:] for line in text_of(both.list_events, when="tuesday").split("\n")[1:]} == {"ting", "Yoga"}
        assert done(both, "list_calendars").startswith("2 calendars\nwork/")


@pytest.mark.parametrize("answer", [refusal(429), refusal(403, "rateLimitExceeded")])
@pytest.mark.parametrize("method", ["calendar.events.list", INSERT])
def test_what_was_asked_too_often_is_asked_again_later_each_time_further_apart(
    desk: GoogleDesk, google: FakeGoogle, answer: Answer, method: str
) -> None:
    google.before = at(method, answer, 2)
    assert text_of(desk.tools().create_event, title="Tea", when="tuesday at 3").startswith("Created: Tea")
    assert 1 <= desk.waits[0] < 2 <= desk.waits[1] < 3
    assert len(google.account.items) == 2


def test_it_is_not_asked_without_end(desk: GoogleDesk, google: FakeGoogle) -> None:
    google.before = at("calendar.events.list", refusal(429))
    refusal_of(desk.tools().list_events)
    assert google.ids().count("events.list") == MAX_TRIES
    assert len(desk.waits) == MAX_TRIES - 1
    assert max(desk.waits) <= LONGEST_WAIT_S


def test_a_token_that_is_not_taken_is_replaced_once(google: FakeGoogle) -> None:
    desk = GoogleDesk(google, tokens=FakeTokens("old", "old", fresh="token-write"))
    assert text_of(desk.tools().list_events, when="tuesday").endswith("Meeting")
    desk = GoogleDesk(google, tokens=FakeTokens("old", "old", fresh="older"))
    assert refusal_of(desk.tools().list_events) == f"{WHO} does not take the login any more. {LOGIN}"
    assert [refused for _, _, refused in desk.tokens.asked] == [False, True]


def test_reading_asks_for_the_right_to_read_and_writing_for_the_right_to_write(desk: GoogleDesk, google: FakeGoogle) -> None:
    tools = desk.tools()
    done(tools, "list_events")
    assert {scopes for _, scopes, _ in desk.tokens.asked} == {"calendar-read"}
    done(tools, "create_event", title="Tea", when="tuesday at 3")
    assert {scopes for _, scopes, _ in desk.tokens.asked} == {"calendar-read", "calendar"}
    less = GoogleDesk(google, tokens=FakeTokens("token-read", "token-read")).tools()
    assert refused(less, "delete_event", event="meeting").endswith(LOGIN)


@pytest.mark.parametrize("trouble", [Silence(), refusal(500), refusal(503, "backendError")])
def test_a_creation_without_an_answer_is_looked_up(tools: Calendars, google: FakeGoogle, trouble: Answer | Silence) -> None:
    google.after = at(INSERT, trouble, 1)
    assert text_of(tools.create_event, title="Tea", when="tuesday at 3") == "Created: Tea, Tue 24 Nov 2026 15:00-16:00"
    google.before = at(INSERT, trouble, 1)
    assert refusal_of(tools.create_event, title="Soup", when="tuesday at 1").endswith("Nothing was created.")
    assert google.ids().count("events.insert") == 2
    assert len(google.account.items) == 2


@pytest.mark.parametrize("is_after", [False, True])
def test_a_creation_that_times_out_is_looked_up(google: FakeGoogle, is_after: bool) -> None:
    tools = GoogleDesk(google, timeouts_s=IMPATIENT).tools()
    done(tools, "list_calendars")
    plan = planned(tools, "create_event", title="Tea", when="tuesday at 3")
    if is_after:
        google.after = at(INSERT, Silence(held=True), 1)
        assert plan.execute().text.startswith("Created: Tea")
    else:
        google.before = at(INSERT, Silence(held=True), 1)
        with pytest.raises(Refusal, match="did not answer in time. Try again later. Nothing was created."):
            plan.execute()


def test_where_looking_fails_too_it_is_said_that_nothing_is_known(tools: Calendars, google: FakeGoogle) -> None:
    plan = planned(tools, "create_event", title="Tea", when="tuesday at 3")
    google.after = at(INSERT, Silence(), 1)
    google.before = at(GET, refusal(403, "forbidden"))
    with pytest.raises(Refusal, match="ask for the same again, that makes no second one"):
        plan.execute()
    google.before = lambda _: None
    assert plan.execute().text.startswith("Created: Tea")
    assert len(google.account.items) == 2


@pytest.mark.parametrize("trouble", [Silence(), refusal(500)])
@pytest.mark.parametrize(
    ("name", "method", "arguments", "done_text", "undone_text"),
    [
        ("update_event", PATCH, {"new_when": "11:00"}, "Updated: Meeting", "Nothing was changed."),
        ("delete_event", DELETE, {}, "Deleted: Meeting", "Nothing was removed."),
    ],
)
def test_a_change_without_an_answer_is_looked_up_and_never_repeated(
    tools: Calendars, google: FakeGoogle, trouble: Answer | Silence, name: str, method: str,
    arguments: dict[str, str], done_text: str, undone_text: str,
) -> None:  # fmt: skip
    google.before = at(method, trouble, 1)
    assert refused(tools, name, event="meeting", **arguments).endswith(undone_text)
    assert google.account.items["meetingmeeting"]["etag"] == '"m1"'
    google.before = lambda _: None
    google.after = at(method, trouble, 1)
    assert done(tools, name, event="meeting", **arguments).startswith(done_text)
    assert [called.method for called in google.asked].count(method) == 2


def test_a_change_without_an_answer_that_someone_else_overtook_is_said_to_be_unknown(tools: Calendars, google: FakeGoogle) -> None:
    plan = planned(tools, "update_event", event="meeting", new_when="11:00")

    def overtaken(called: Called) -> Answer | None:
        if called.method == PATCH:
            google.account.items["meetingmeeting"] |= {"etag": '"theirs"', "start": MEETING["start"], "end": MEETING["end"]}
            raise Silence
        return None

    google.after = overtaken
    with pytest.raises(Refusal, match="Whether the change was made is not known: look at the event before trying again."):
        plan.execute()


def test_an_event_that_went_meanwhile_is_said_to_have_changed(tools: Calendars, google: FakeGoogle) -> None:
    for answer in (refusal(404, "notFound"), refusal(410, "deleted")):
        plan = planned(tools, "delete_event", event="meeting")
        google.before = at(DELETE, answer)
        with pytest.raises(Refusal, match="has changed since"):
            plan.execute()
        google.before = lambda _: None


def test_the_token_goes_to_no_other_house(google: FakeGoogle) -> None:
    tokens = FakeTokens()
    http = GoogleHttp("work", WHO, tokens, "https://www.googleapis.com/calendar/v3/", dict)
    http.scopes = "calendar-read"
    for url in (google.url, "http://www.googleapis.com/batch", "https://www.googleapis.com.evil.example/x"):
        with pytest.raises(Refusal, match="another address"):
            http.request(url)
    assert (tokens.asked, google.requests) == ([], [])
    http.close()


def test_the_token_is_in_no_log_error_or_result(desk: GoogleDesk, google: FakeGoogle, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    tools = desk.tools()
    said = [text_of(tools.list_events), done(tools, "list_calendars"), done(tools, "delete_event", event="meeting")]
    google.before = lambda _: refusal(400, "invalid")
    said += [refusal_of(tools.list_events)]
    assert not {token for token in google.tokens if token in " ".join([*said, caplog.text])}


def test_without_the_library_it_is_said_what_to_install(desk: GoogleDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("googleapiclient"):
            raise ModuleNotFoundError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    assert refusal_of(desk.tools().list_events) == "Google accounts need their library. Install it: `pip install 'variet[google]'`."
