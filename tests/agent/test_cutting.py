"""A long result is cut once, at a line end, to the model's context; nothing of it is lost, and pages put it together again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.calls.assemble import Reply
from agent.calls.repeats import NOTE, WASTED
from agent.events import CallValue, ToolFinished
from agent.tools.mcp_wire import ToolResult
from agent.tools.own import OWN_FACTS, run_own
from agent.turns.budget import Limits
from agent.turns.effects import CallModel, LookUpTiers, Replied, TiersKnown, ToolEnded
from agent.view.cutting import MIN_ROOM, handle_of, page_of, room_for
from agent.view.own_names import READ_MORE
from agent.view.window import TurnSize, View
from config.paths import Home
from tests.agent.runtimes import MemoryTools, agent_of
from tests.agent.turns import Turn, call, rules
from tests.fakes.scripted_model import Say

LINES = "".join(f"line {number}\n" for number in range(4000))
NOTICE = re.compile(r"\n\[Cut here: (\d+) of (\d+) characters are left out\.(?: read_more\(handle=(\w+), start=(\d+)\) goes on\.)?\]$")


@pytest.mark.parametrize(("n_ctx", "room"), [(0, 6553), (2048, MIN_ROOM), (16384, 13107), (131072, 104857)])
def test_the_room_of_a_result_grows_with_the_context(n_ctx: int, room: int):
    assert room_for(n_ctx) == room


def test_what_fits_is_told_to_the_byte():
    assert page_of("short\n", room=3000, is_readable=True) == ("short\n", 6)
    assert page_of(LINES, room=len(LINES), is_readable=True).text == LINES


def test_a_cut_ends_a_line_and_says_how_much_is_missing_and_how_to_go_on():
    page = page_of(LINES, room=3000, is_readable=True)
    said = NOTICE.search(page.text)
    assert said is not None
    assert page.text[: said.start()].splitlines()[-1].startswith("line ")
    assert LINES[page.end - 1] == "\n"
    assert (int(said[1]), int(said[2]), said[3], int(said[4])) == (len(LINES) - page.end, len(LINES), handle_of(LINES), page.end)


def test_a_model_without_the_tool_is_not_told_of_it():
    assert page_of(LINES, room=3000, is_readable=False).text.endswith("characters are left out.]")


@given(st.text(alphabet=st.sampled_from("aé漢😀\n "), max_size=3000), st.integers(300, 900))
def test_pages_fit_their_room_and_together_are_the_whole(text: str, room: int):
    start, parts = 0, list[str]()
    while start < len(text):
        page = page_of(text, start=start, room=room, is_readable=True)
        assert len(page.text.encode()) <= room
        assert page.end > start
        parts.append(text[start : page.end])
        start = page.end
    assert "".join(parts) == text


def test_a_turn_cuts_by_the_context_of_its_model_and_the_log_keeps_the_whole():
    turn = Turn()
    turn.pending.remove(LookUpTiers())
    turn.tell(TiersKnown(frozenset({"fast"}), {"fast": 4096}))
    turn.say("", call("list_events"))
    (finished,) = (event for event in turn.tell(ToolEnded("c-list_events", True, LINES)) if isinstance(event, ToolFinished))
    assert len(finished.text) < room_for(4096) < len(finished.whole)
    assert finished.whole == LINES
    turn.crash()
    assert turn.state.n_ctx == 4096


def placed(n_ctx: int, *, earlier: int = 0) -> Turn:
    """A turn whose model holds so many tokens, with so many bytes of earlier turns in view."""
    known = rules(limits=Limits(max_steps=1000))
    known = replace(known, schemas={**known.schemas, READ_MORE: {}}, facts={**known.facts, **OWN_FACTS})
    turn = Turn(rules=known)
    turn.pending.remove(LookUpTiers())
    sizes = (TurnSize("earlier", earlier), TurnSize("t", 100)) if earlier else (TurnSize("t", 100),)
    turn.tell(TiersKnown(frozenset({"fast"}), {"fast": n_ctx}, View(sizes)))
    return turn


def read(turn: Turn, *, calls: int, prompt_tokens: int = 1500) -> list[int]:
    """The bytes that each of so many long results is told with, all called for at once."""
    asked = [call("list_events", f"{len(turn.log)}-{number}") for number in range(calls)]
    turn.pending = [effect for effect in turn.pending if not isinstance(effect, CallModel)]
    turn.tell(Replied(Reply("", calls=tuple(asked), prompt_tokens=prompt_tokens, completion_tokens=100)))
    ended = [event for each in asked for event in turn.tell(ToolEnded(each.id, True, f"{each.id}\n{LINES}"))]
    return [len(event.text.encode()) for event in ended if isinstance(event, ToolFinished)]


def test_results_of_one_step_have_room_together_and_the_model_is_asked_again():
    turn = placed(8192)
    sizes = read(turn, calls=6)
    assert sum(sizes) <= (8192 * 0.8 - 1600) * 4
    assert min(sizes) > 2500
    assert turn.pending[-1] == CallModel("fast")


def test_what_one_result_leaves_free_the_others_have():
    turn = placed(8192)
    asked = [call("list_events", f"c{number}") for number in range(3)]
    turn.pending.clear()
    turn.tell(Replied(Reply("", calls=tuple(asked), prompt_tokens=1500, completion_tokens=100)))
    for each in asked[:2]:
        turn.tell(ToolEnded(each.id, True, "none"))
    (last,) = (event for event in turn.tell(ToolEnded("c2", True, LINES)) if isinstance(event, ToolFinished))
    assert 6000 < len(last.text) <= room_for(8192)


def test_results_of_steps_after_each_other_grow_smaller_and_are_never_nothing():
    turn, tokens = placed(8192), 1500
    for step in range(8):
        (size,) = read(turn, calls=1, prompt_tokens=tokens)
        assert (size > 6000) == (step < 2)
        assert size > 300
        tokens += 100 + size // 4
        assert tokens < 8192


def test_earlier_turns_can_leave_so_they_take_no_room_from_results():
    assert read(placed(8192, earlier=20_000), calls=1, prompt_tokens=6500)[0] > 6000
    assert read(placed(8192), calls=1, prompt_tokens=6500)[0] < 1000


def test_after_a_restart_nobody_knows_what_can_leave_and_one_result_has_its_usual_room():
    turn = placed(8192)
    turn.crash()
    assert read(turn, calls=1, prompt_tokens=6500)[0] > 6000


def test_the_smallest_context_still_gets_a_whole_mail_where_that_fits():
    assert read(placed(2048), calls=1, prompt_tokens=800)[0] > 3000
    assert read(placed(2048), calls=1, prompt_tokens=1900)[0] < 700


def told(turn: Turn, asked: CallValue, bring: Callable[[], str], *, prompt_tokens: int) -> ToolFinished:
    """What the model is told of one call's result."""
    turn.pending = [effect for effect in turn.pending if not isinstance(effect, CallModel)]
    turn.tell(Replied(Reply("", calls=(asked,), prompt_tokens=prompt_tokens, completion_tokens=50)))
    (finished,) = (event for event in turn.tell(ToolEnded(asked.id, True, bring())) if isinstance(event, ToolFinished))
    return finished


@pytest.mark.parametrize("prompt_tokens", [5500, 7000])
def test_read_more_goes_on_to_the_end_in_a_turn_that_grew_full(prompt_tokens: int):
    turn, text = placed(8192), LINES[:15_000]
    finished = told(turn, call("list_events"), lambda: text, prompt_tokens=4500)
    seen, pages = set(finished.text.splitlines()), 0
    while said := NOTICE.search(finished.text):
        wanted: dict[str, Any] = {"handle": said[3], "start": int(said[4])}

        def bring(wanted: dict[str, Any] = wanted) -> str:
            result = run_own(READ_MORE, wanted, events=turn.log, hidden=())
            assert not result.is_error, result.text
            return result.text

        finished = told(turn, call(READ_MORE, f"r{pages}", json.dumps(wanted)), bring, prompt_tokens=prompt_tokens)
        assert len(finished.text) < 4000, "in the part of the context that is left"
        seen |= set(finished.text.splitlines())
        pages += 1
        assert pages < 100
    assert set(text.splitlines()) <= seen


@pytest.mark.parametrize("n_ctx", [4096, 8192, 16384])
@pytest.mark.parametrize("names", [("list_events",), ("list_events", "find_free_time")])
@pytest.mark.parametrize("slips", ["", "it was written as text"])
@pytest.mark.parametrize("size", [2500, len(LINES)])
def test_a_circle_of_results_is_seen_however_much_of_each_there_is_still_room_for(
    n_ctx: int, names: tuple[str, ...], slips: str, size: int
):
    turn, tokens, sizes = placed(n_ctx), n_ctx // 3, list[int]()
    for step in range(WASTED + len(names)):
        assert turn.pending[-1] == CallModel("fast"), f"not before {WASTED} calls were wasted"
        asked = call(names[step % len(names)], f"c{step}").model_copy(update={"repaired": slips})
        text = told(turn, asked, lambda: LINES[:size], prompt_tokens=tokens).text
        assert text.endswith(NOTE) == (step >= len(names))
        tokens += 50 + len(text) // 4
        sizes.append(len(text.removesuffix(NOTE)))
    assert turn.pending[-1] == CallModel("fast", "answer")
    assert size == 2500 or len(set(sizes)) > 1, "they were not all cut alike"
    turn.say("")
    assert turn.end.answer.startswith(f"I stopped, because {turn.state.done[-1].name} told me the same again and again: line 0\n")
    assert len(turn.end.answer) < room_for(n_ctx) + 200


class Talkative(MemoryTools):
    async def call(self, name: str, *args: object, **options: object) -> ToolResult:
        return ToolResult(LINES)


@pytest.mark.anyio
async def test_the_model_gets_the_beginning_and_the_export_has_the_whole(home: Home):
    with anyio.fail_after(60):
        script = [Say("", [("list_events", {"when": "today"})]), Say("Many.")]
        async with agent_of(home, script, tools=Talkative()) as agent:
            await agent.ask("What is on?")
            told = agent.model.requests[1]["messages"][-1]["content"]
            assert "line 3999" not in told
            assert "characters are left out. read_more(handle=" in told
            assert "line 3999" in await agent.runtime.shelf.export(agent.session, "markdown")
