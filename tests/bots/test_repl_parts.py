"""The chat's pure parts: commands, what is read from a conversation's events, the meter, colours."""

from __future__ import annotations

from typing import get_args

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from agent.event_parts import DEFERRED_TEXT
from agent.events import (
    ApprovalNeeded,
    CallDecided,
    Event,
    ModelReplied,
    RouteChosen,
    ServersMissing,
    ToolFinished,
    TurnCancelled,
    TurnDone,
    TurnStarted,
    Usage,
)
from agent.safety.manifest import Kind
from bots.lines import missing_lines
from bots.repl.commands import NAMES, Command, help_text, parse_command, unknown_text
from bots.repl.shown.meter import Meter
from bots.repl.shown.past import last_exchange, last_typed, unfolded
from bots.repl.shown.tints import ADDED, PLACE, REMOVED, TITLE, tinted_approval
from bots.repl.typed.completing import ChatCompleter
from bots.tool_lines import ASKED, server_lines, shown_lines, tool_lines
from tests.fakes.sayings import TOOLS


def _turn(turn: str, text: str, answer: str = "Done.", *between: Event) -> list[Event]:
    started = TurnStarted(turn=turn, text=text, sent_text=text, now="2026-11-21T09:15:00+01:00", who="cli")
    return [started, *between, TurnDone(turn=turn, answer=answer, usage=Usage())]


def _call(turn: str, name: str, tool_class: str = "write", *, ok: bool = True, text: str = "ok") -> list[Event]:
    decided = {"turn": turn, "call": "c1", "name": name, "tool_class": tool_class, "arguments": '{"a":1}'}
    return [
        CallDecided.model_validate({**decided, "verdict": "allow", "reason": "rule"}),
        ToolFinished(turn=turn, call="c1", name=name, ok=ok, decision="allow", text=text, whole="all of it\nindeed"),
    ]


def test_a_command_is_a_name_and_the_rest():
    assert parse_command("/tier  balanced ") == Command("/tier", "balanced")
    assert parse_command("/quit") == Command("/exit", "")
    assert parse_command("/etc is a folder\nof mine") is None
    assert parse_command("tell me of /etc") is None


@pytest.mark.parametrize(
    "said", ["/media/ann/receipt.png what did I pay?", r"/tmp/a\ cat.png", "/etc/fstab has an odd line", "/etc/", "//etc is odd"]
)
def test_a_path_that_a_message_begins_with_is_no_command(said: str):
    assert parse_command(said) is None


def test_what_follows_a_command_may_be_a_path():
    assert parse_command("/sessions x/y") == Command("/sessions", "x/y")
    assert parse_command("/export a/b.md") == Command("/export", "a/b.md")
    assert parse_command("/help") == Command("/help", "")


def test_an_unknown_command_is_one_sentence_with_the_nearest_names():
    assert unknown_text("/session") == "There is no /session; did you mean /sessions?"
    assert unknown_text("/xqzzy") == "There is no /xqzzy; /help shows what there is."


def test_help_names_every_command_on_one_line_of_80_columns():
    lines = help_text().splitlines()
    assert {line.split()[0] for line in lines if line.startswith("/")} == set(NAMES)
    assert max(map(len, lines)) <= 80


def test_the_last_exchange_knows_the_turn_before_it_and_what_was_done():
    events = [*_turn("t1", "hi"), *_turn("t2", "add it", "Added.", *_call("t2", "create_event"), *_call("t2", "list_events", "read"))]
    last = last_exchange(events)
    assert last is not None
    assert (last.turn, last.text, last.answer, last.before) == ("t2", "add it", "Added.", "t1")
    assert last.done == ("create_event(a: 1)",)
    assert last_exchange(events[:1]) is None


def test_what_was_said_of_an_answer_that_was_stopped_is_the_last_exchanges_answer():
    last = last_exchange([*_turn("t1", "hi")[:1], TurnCancelled(turn="t1", who="cli", said="A zeb")])
    assert last is not None
    assert last.answer == "A zeb"


def test_the_hosts_own_words_are_not_what_was_typed():
    events = [*_turn("t1", "add it"), *_turn("t2", f"{DEFERRED_TEXT}create_event")]
    last = last_exchange(events)
    assert last is not None
    assert last.text == ""
    assert last_typed(events) == "add it"


def test_unfolded_calls_are_those_of_the_last_turn_that_made_any():
    events = [*_turn("t1", "a", "A", *_call("t1", "first")), *_turn("t2", "b", "B", *_call("t2", "second", ok=False)), *_turn("t3", "c")]
    assert unfolded(events) == '✗ second({"a":1})\n  all of it\n  indeed'
    assert unfolded(_turn("t1", "a")) == ""


@pytest.mark.parametrize(
    ("n_ctx", "processed", "line"),
    [
        (8192, 200, "fast · 5,010 of 8,192 tokens (61 %) · 96 % from the cache · 3.2 s"),
        (0, None, "fast · 5,010 tokens · 3.2 s"),
    ],
)
def test_the_meter_tells_what_is_known(n_ctx: int, processed: int | None, line: str):
    meter = Meter()
    reply = ModelReplied(
        turn="t1", text="x", prompt_tokens=5000, completion_tokens=10, cached_tokens=4800, processed_tokens=processed, elapsed_s=3.2
    )
    for event in [RouteChosen(turn="t1", tier="fast", model="fast", rule="default", reasons=(), n_ctx=n_ctx), reply]:
        meter = meter.after(event)
    assert meter.line() == line
    assert Meter().line() == ""


def test_an_approvals_diff_is_coloured_and_nothing_else():
    diff = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old\n+new\n same"
    needed = ApprovalNeeded(
        turn="t1", approval="a1", call="c1", name="edit_file", tool_class="write", summary="Edit x", digest="d",
        lines=(("File", "+x"), ("Diff", diff)), expires_at="2026-11-21T12:00:00+01:00",
    )  # fmt: skip
    assert [each.style for each in tinted_approval(needed)] == [TITLE, "", PLACE, PLACE, PLACE, REMOVED, ADDED, ""]


def test_tools_are_told_by_server_with_what_is_asked_about():
    assert tool_lines(TOOLS) == [
        "calendars:",
        "  list_events (reads): List events",
        "outbox:",
        "  send_mail (sends or is unknown, asked about): Send a mail",
    ]
    assert server_lines(TOOLS) == ["calendars: 1 tool", "outbox: 1 tool", "mail: not there: it did not start within 10 s"]
    assert set(ASKED) == set(get_args(Kind))


def test_what_a_conversations_model_is_shown_is_told_with_the_reason():
    chosen = RouteChosen(
        turn="t", tier="fast", model="fast", rule="default", reasons=(), shown="core", shown_why="its model holds 2,048 tokens"
    )
    newer = chosen.model_copy(update={"tier": "deep", "shown": "bridge"})
    assert shown_lines([]) == shown_lines([chosen.model_copy(update={"shown": None})]) == []
    assert shown_lines([newer, chosen]) == ["fast is shown the few tools that every model can hold: its model holds 2,048 tokens."]
    assert shown_lines([chosen, newer])[0].startswith("deep is shown those few, and two that find and call all others")


def test_a_server_that_is_not_there_is_one_line() -> None:
    assert missing_lines(ServersMissing(turn="t", problems={"mail": "it did not\nstart"})) == ["mail is not there: it did not start"]


def test_what_stands_behind_a_command_is_completed_with_what_it_means():
    completer = ChatCompleter(["/sessions", "/show"])
    completer.suggest("/sessions", {"s-12": "tea", "s-34": "rent", "t-1": "x"})

    def offered(text: str) -> list[tuple[str, str]]:
        found = completer.get_completions(Document(text), CompleteEvent(completion_requested=True))
        return [(each.text, each.display_meta_text) for each in found]

    assert offered("/s") == [("/sessions", ""), ("/show", "")]
    assert offered("/sessions s") == [("s-12", "tea"), ("s-34", "rent")]
    assert offered("/show s") == offered("hello s") == []
