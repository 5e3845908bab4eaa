"""A conversation that has grown too long goes on: its oldest turns leave the model's view, and stay in the log."""

from __future__ import annotations

import json

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.events import ContextTrimmed, Event, ModelReplied, TurnDone, TurnStarted, Usage
from agent.turns.effects import CallModel, LookUpTiers, Overflowed, TiersKnown
from agent.view.context import Conversation
from agent.view.window import KEPT, TurnSize, View, answer_room, cut, is_full
from config.paths import Home
from config.schema import AgentSection, AgentSettings
from tests.agent.runtimes import agent_of
from tests.agent.turns import Turn, routed
from tests.fakes.scripted_model import Say

TOO_LONG = {"type": "exceed_context_size_error", "message": "too long", "n_prompt_tokens": 5000, "n_ctx": 4096}
AT = "2026-11-21T09:00:00+01:00"


def view(*sizes: int, tokens: int = 0) -> View:
    return View(tuple(TurnSize(f"t{n}", size) for n, size in enumerate(sizes)), tokens)


def talk(*turns: str) -> list[Event]:
    log: list[Event] = []
    for turn in turns:
        log.append(TurnStarted(turn=turn, text=turn, sent_text=turn, now=AT, who="cli"))
        log.append(ModelReplied(turn=turn, text=f"Yes, {turn}.", prompt_tokens=100, completion_tokens=10))
        log.append(TurnDone(turn=turn, answer=f"Yes, {turn}.", usage=Usage()))
    return log


@pytest.mark.parametrize(("n_ctx", "room"), [(0, 1024), (2048, 512), (8192, 2048), (131_072, 4096)])
def test_an_answer_gets_a_quarter_of_the_context_and_at_most_a_long_file(n_ctx: int, room: int):
    assert answer_room(n_ctx) == room


@given(st.integers(256, 200_000))
def test_what_is_not_full_leaves_room_for_a_whole_answer(n_ctx: int):
    assert not is_full(view(1, tokens=n_ctx // 2), n_ctx)
    assert is_full(view(1, tokens=n_ctx - answer_room(n_ctx) + 1), n_ctx)


@given(st.lists(st.integers(1, 500), min_size=2, max_size=12), st.integers(1, 9000), st.integers(256, 8192))
def test_whole_turns_leave_oldest_first_and_at_least_one_and_never_the_one_that_runs(sizes: list[int], tokens: int, n_ctx: int):
    turns = view(*sizes).turns
    leaving = cut(turns, tokens=tokens, n_ctx=n_ctx)
    assert leaving is not None
    assert leaving.kept_from == f"t{leaving.dropped}"
    assert 1 <= leaving.dropped < len(sizes)
    kept = sum(sizes[leaving.dropped :]) * tokens / sum(sizes)
    assert kept <= n_ctx * KEPT or leaving.dropped == len(sizes) - 1


def test_a_single_turn_cannot_leave():
    assert cut(view(100).turns, tokens=9000, n_ctx=4096) is None


def test_the_view_is_told_by_turn_and_the_dropped_are_not_sent_any_more():
    conversation = Conversation(talk("a", "b", "c"))
    assert [turn for turn, _ in conversation.view().turns] == ["a", "b", "c"]
    assert conversation.view().tokens == 110
    conversation.add(ContextTrimmed(turn="c", kept_from="c", dropped=2, n_ctx=4096))
    assert [json.loads(message)["content"] for message in conversation.messages] == ["c", "Yes, c."]
    assert [turn for turn, _ in conversation.view().turns] == ["c"]
    assert 0 < conversation.view().tokens < 110


def test_what_no_server_has_counted_yet_is_guessed():
    conversation = Conversation(talk("a"))
    conversation.add(TurnStarted(turn="b", text="x" * 1000, sent_text="x" * 1000, now=AT, who="cli"))
    assert 500 < conversation.view().tokens < 1000


def test_a_full_view_is_cut_before_the_model_is_asked():
    turn = Turn()
    turn.pending.remove(LookUpTiers())
    turn.tell(TiersKnown(frozenset({"fast"}), {"fast": 4096}, view(1000, 1000, 1000, tokens=3900)))
    (trimmed,) = turn.of("context_trimmed")
    assert (trimmed.kept_from, trimmed.dropped) == ("t2", 2)
    assert turn.pending == [CallModel("fast")]


def test_a_request_that_was_too_long_is_cut_and_sent_again_and_one_turn_alone_fails_with_numbers():
    turn = routed()
    turn.pending.clear()
    turn.tell(Overflowed(5000, 4096, view(4000, 500), "too long"))
    assert turn.of("context_trimmed")[0].dropped == 1
    assert turn.pending == [CallModel("fast")]
    turn.tell(Overflowed(4500, 4096, view(500), "too long"))
    assert (turn.end.type, turn.end.error) == ("turn_failed", "too long")


def test_a_refusal_without_sizes_frees_half_of_what_is_known_to_be_sent():
    turn = routed()
    turn.pending.clear()
    turn.tell(Overflowed(0, 0, view(1000, 1000, 1000, 1000, tokens=6000), "too long"))
    assert turn.of("context_trimmed")[0].dropped == 2
    other = routed()
    other.tell(Overflowed(0, 0, view(1000, 1000, 1000, 1000), "too long"))
    assert other.of("context_trimmed")[0].dropped == 2


VLLM_TOO_LONG = {
    "message": "This model's maximum context length is 4096 tokens. However, your request has 5000 input tokens.",
    "type": "BadRequestError",
    "code": 400,
}
LOADING = {"model": "nano", "phase": "loading", "elapsed_s": 1.5}


@pytest.mark.anyio
@pytest.mark.parametrize("refusal", [Say(status=400, error=TOO_LONG), Say(error=VLLM_TOO_LONG, loading=[LOADING])])
async def test_a_conversation_goes_on_after_its_model_has_refused_it_for_its_length(home: Home, refusal: Say):
    with anyio.fail_after(60):
        script = [Say("One."), Say("Two."), refusal, Say("Three."), Say("Four.")]
        async with agent_of(home, script) as agent:
            await agent.ask("one")
            await agent.ask("two")
            events = await agent.ask("three")
            assert [event.type for event in events if event.seq][-4:] == ["route_chosen", "context_trimmed", "model_replied", "turn_done"]
            await agent.ask("four")
            sent = [message["content"].split("\n")[-1] for message in agent.model.requests[-1]["messages"][1:]]
            assert sent[-3:] == ["three", "Three.", "four"]
            assert "one" not in sent
            copy = await agent.runtime.shelf.fork(agent.session)
            agent.session = copy
            assert "\none\n" in await agent.runtime.shelf.export(copy, "markdown")


@pytest.mark.anyio
async def test_a_text_that_is_too_long_by_itself_is_said_with_numbers(home: Home):
    with anyio.fail_after(60):
        async with agent_of(home, [Say(status=400, error=TOO_LONG)]) as agent:
            failed = (await agent.ask("x" * 9000))[-1]
    assert failed.type == "turn_failed"
    assert "5000 tokens, it holds 4096" in failed.error


@pytest.mark.anyio
@pytest.mark.parametrize(("said", "asked_for"), [(None, 2000), (64, 64)])
async def test_a_model_is_asked_for_as_much_as_its_context_has_room_for_unless_the_settings_say_it(
    home: Home, said: int | None, asked_for: int
):
    settings = AgentSettings(agent=AgentSection(send_hold_s=0, max_tokens=said))
    with anyio.fail_after(60):
        async with agent_of(home, [Say("One.")], settings=settings) as agent:
            agent.model.meta, agent.model.real_n_ctx = {"n_ctx": 8000}, 8000
            await agent.ask("one")
            assert [body["max_tokens"] for body in agent.model.requests] == [asked_for]
