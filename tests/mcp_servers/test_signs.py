"""A name without a word, such as an emoji, means what has it in its title or subject, and never everything."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_servers.calendars.server import Calendars
from mcp_servers.errors import Refusal
from mcp_servers.mail.server import MailTools
from mcp_servers.mailbox.store import MailStore
from mcp_servers.protocol.calls import Plan
from mcp_servers.wording import EMPTY_WORDS, signs_in
from tests.mcp_servers.calling import call, refusal_of, text_of

CAKE, PARTY = "\U0001f382", "\U0001f389"
HEART = "\u2764\ufe0f"
"""With the selector for its colour, which no title has that was cleaned."""
WORDLESS = (PARTY, "?", "...", f"the {PARTY}", "\u200b", '"', "*", "_")


@pytest.fixture
def tools(mails: MailStore) -> dict[str, Any]:
    for number, subject in enumerate((f"Party {CAKE}", "I \u2764 it")):
        mail = f"From: Sue {CAKE} <sue@example.org>\nSubject: {subject}\nDate: Thu, 19 Nov 2026 10:0{number}:00 +0100\n\nx {PARTY}\n"
        (mails.inbox.folder / "new" / f"s{number}").write_bytes(mail.encode())
    mails.mails()
    return MailTools(mails).handlers()


@pytest.mark.parametrize("said", [*WORDLESS, f"{PARTY} mail", f"my newest {PARTY}"])
def test_no_mail_is_meant_by_signs_that_none_has(tools: dict[str, Any], said: str) -> None:
    for tool in ("read_mail", "trash_mail", "draft_reply", "read_thread"):
        with pytest.raises(Refusal, match=r"^No mail matches"):
            tools[tool](call(mail=said, **({"body": "x"} if tool == "draft_reply" else {})))
    with pytest.raises(Refusal, match=r"^No mail matches"):
        tools["trash_mail"](call(mails=["m3", said]))


def test_a_mail_is_meant_by_a_sign_of_its_subject_or_sender(tools: dict[str, Any]) -> None:
    assert text_of(tools["read_mail"], mail=HEART).split("\n")[1] == "Subject: I \u2764 it"
    assert text_of(tools["read_mail"], mail=f"the newest {HEART} mail").split("\n")[1] == "Subject: I \u2764 it"
    assert text_of(tools["search_mail"], query=CAKE).startswith("2 mails\n")
    assert text_of(tools["search_mail"], sender=CAKE).startswith("2 mails\n")
    assert text_of(tools["find_mails"], query=HEART).startswith("1 mail\n")
    assert text_of(tools["search_mail"], query=f"party {HEART}").startswith("1 mail\n"), "its words decide"


def test_a_search_for_signs_that_no_mail_has_finds_none_and_one_for_all_finds_all(tools: dict[str, Any]) -> None:
    for name in ("query", "sender"):
        assert text_of(tools["search_mail"], **{name: PARTY}) == "No mails found"
        assert text_of(tools["list_threads"], **{name: "?"}) == "No threads found"
        assert text_of(tools["search_mail"], **{name: "*"}).startswith("5 mails\n")
    assert text_of(tools["search_mail"], query="the").startswith("5 mails\n")
    assert "Subject: Budget for March" in text_of(tools["read_mail"], mail="my newest mail!")


def test_no_event_is_meant_by_signs_that_none_has(week: Calendars) -> None:
    for tool in ("delete_event", "get_event", "remove_event"):
        for said in (*WORDLESS, f"the {PARTY} event"):
            assert refusal_of(week.handlers()[tool], event=said, when="23 november").startswith("No event matches"), (tool, said)
    assert refusal_of(week.update_event, event="?", new_title="x").startswith("No event matches")


def test_an_event_is_meant_by_a_sign_of_its_title(week: Calendars) -> None:
    for title, when in ((CAKE, "wednesday 5pm"), (f"{CAKE} Anna", "wednesday 6pm"), (PARTY, "wednesday 7pm")):
        text_of(week.create_event, title=title, when=when)
    assert text_of(week.list_events, query=CAKE).split("\n")[0].endswith(": 2 events")
    assert text_of(week.list_events, query="?").endswith(": no events")
    assert text_of(week.list_events, query="*").split("\n")[0].endswith(": 8 events")
    plan = week.delete_event(call(event=f"the {PARTY} event"))
    assert isinstance(plan, Plan)
    assert plan.summary.startswith(f"Delete: {PARTY}, Wed 25 Nov 2026 19:00")
    assert text_of(week.delete_event, event=CAKE).startswith(f"Deleted: {CAKE}, Wed 25 Nov 2026 17:00")
    search: Any = week.handlers()["search_events"]
    assert [search(call(query=said)).structured["total"] for said in (CAKE, PARTY, "?", "*")] == [1, 1, 0, 7]


@pytest.mark.parametrize(
    ("said", "signs"),
    [
        (CAKE, (CAKE,)), (f" {CAKE}  {PARTY} ", (CAKE, PARTY)), (f"the {CAKE} of {PARTY}", (CAKE, PARTY)), ("?!", ("?!",)),
        ("the ?", ()), ("the", ()), ("", ()), (" ", ()), ("3\u20ac", ()), ("\u4f1a\u8b70", ()), (f"Bo {CAKE}", ()),
    ],
)  # fmt: skip
def test_signs_are_what_is_left_where_no_word_says_what_is_meant(said: str, signs: tuple[str, ...]) -> None:
    assert signs_in(said, EMPTY_WORDS) == signs
