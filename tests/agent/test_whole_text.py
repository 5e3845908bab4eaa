"""Bytes that are no text, from a command line, a terminal or a program: they become a sign for that, and end nothing."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.event_parts import Attached
from agent.gateway.asked import read
from agent.routes.report import ExplainRequest
from agent.service.wire import ApprovalReply, SessionRequest, TurnRequest
from agent.whole_text import whole
from bots.repl.shown.screen import Screen
from bots.repl.typed.pipe import PipePerson
from bots.repl.typed.terminal import TerminalPerson

LONE, SIGN = "caf\udce9 \ud800", "caf\ufffd \ufffd"


@given(st.text(st.characters()))
def test_every_text_can_be_written_afterwards_and_whole_ones_are_as_they_were(text: str):
    shown = whole(text)
    shown.encode()
    assert whole(shown) == shown
    if not any("\ud800" <= sign <= "\udfff" for sign in text):
        assert shown == text


def test_two_halves_become_the_character_that_they_are():
    assert whole("\ud83d\ude00") == "\U0001f600"
    assert whole(LONE) == SIGN


def test_what_people_say_goes_over_the_wire_whatever_is_in_it():
    assert SessionRequest(title=LONE, resume=LONE).model_dump(exclude_defaults=True) == {"title": SIGN, "resume": SIGN}
    asked = TurnRequest(text=LONE, who="cli", tier=LONE, attached=(Attached(name=LONE, text=LONE),))
    assert TurnRequest.model_validate_json(asked.model_dump_json()).text == SIGN
    assert ApprovalReply(digest="d", granted=True, who="cli", typed={"a": LONE}).typed == {"a": SIGN}
    assert ExplainRequest(text=LONE).text == SIGN
    assert read(b'{"model": "variet", "messages": [{"role": "user", "content": "caf\\udce9 \\ud800"}]}').newest_text() == SIGN


@pytest.mark.anyio
async def test_a_line_that_is_no_text_is_kept_in_the_history_and_sent(tmp_path: Path):
    person = TerminalPerson(Screen(), history=tmp_path / "history", commands=[])
    person.give_back(LONE)
    person._typed.queue.append(LONE)  # pyright: ignore[reportPrivateUsage] - as if it was typed while something ran
    assert await person.read() == SIGN
    assert SIGN in (tmp_path / "history").read_text("utf-8")


@pytest.mark.anyio
async def test_a_pipe_that_is_opened_strictly_hands_over_its_line_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"hi \xff\n"), encoding="utf-8", errors="strict"))
    assert await PipePerson().read() == "hi \ufffd"
