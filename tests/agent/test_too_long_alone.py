"""One message that no trimming makes short enough costs a conversation nothing: it is refused, and the model does not see it again."""

from __future__ import annotations

import json
from dataclasses import replace

import anyio
import pytest

from agent.event_parts import Attached
from agent.events import ContextTrimmed, TurnFailed
from agent.turns.effects import CallModel, LookUpTiers, Overflowed, TiersKnown
from agent.view.context import Conversation
from config.paths import Home
from config.schema import AgentSection, AgentSettings
from tests.agent.runtimes import agent_of
from tests.agent.test_summary import contents, lengthy
from tests.agent.test_window import TOO_LONG, talk, view
from tests.agent.turns import Turn, call, routed, rules
from tests.fakes.scripted_model import Say

REFUSED = Say(status=400, error={**TOO_LONG, "n_prompt_tokens": 25_000})
LOG = (Attached(name="big.log", text="a line of a log\n" * 5000),)


@pytest.mark.anyio
@pytest.mark.parametrize("summarise_from", [4096, 8192])
async def test_a_conversation_goes_on_whole_after_a_message_that_was_too_long(home: Home, summarise_from: int):
    settings = AgentSettings(agent=AgentSection(summarise_from=summarise_from))
    script = [lengthy("One.", 500), lengthy("Two.", 900), REFUSED, lengthy("Tea.", 950), lengthy("At six.", 990)]
    with anyio.fail_after(60):
        async with agent_of(home, script, settings=settings) as agent:
            await agent.ask("I drink peppermint tea")
            await agent.ask("and I rise at six")
            failed = (await agent.ask("what is in this?", attached=LOG))[-1]
            assert isinstance(failed, TurnFailed)
            assert "25000 tokens, it holds 4096" in failed.error
            await agent.ask("what do I drink?")
            said = [message["content"].split("\n")[-1] for message in agent.model.requests[-1]["messages"][1:]]
            assert said == ["I drink peppermint tea", "One.", "and I rise at six", "Two.", "what do I drink?"]
            assert not any(isinstance(event, ContextTrimmed) for event in await agent.stored())
        async with agent_of(home, script[4:], settings=settings, session=agent.session) as later:
            await later.ask("when do I rise?")
            said = [message["content"].split("\n")[-1] for message in later.model.requests[-1]["messages"][1:]]
            assert said[-3:] == ["what do I drink?", "Tea.", "when do I rise?"]
            assert len(said) == 7


@pytest.mark.parametrize("summarise_from", [4096, 8192])
def test_nothing_leaves_for_a_message_that_cannot_fit_by_itself(summarise_from: int):
    turn = Turn(rules=replace(rules(), summarise_from=summarise_from))
    turn.pending.remove(LookUpTiers())
    alone = view(1000, 1000, 4096 * 4 + 1, tokens=9000)
    turn.tell(TiersKnown(frozenset({"fast"}), {"fast": 4096}, alone))
    assert turn.pending == [CallModel("fast")]
    turn.tell(Overflowed(6000, 4096, alone, "too long"))
    assert (turn.end.error, turn.end.is_unseen) == ("too long", True)
    assert turn.of("context_trimmed") == []


def test_where_the_server_names_no_numbers_its_bytes_count():
    turn = routed()
    turn.state = replace(turn.state, n_ctx=4096)
    turn.tell(Overflowed(0, 0, view(1000, 4096 * 4 + 1, tokens=9000), "too long"))
    assert turn.end.is_unseen


def test_what_was_dense_before_it_does_not_make_a_message_too_long():
    turn = routed()
    turn.pending.clear()
    turn.tell(Overflowed(7400, 4096, view(8000, 12_000, tokens=5000 + 6000), "too long"))
    assert turn.pending == [CallModel("fast")], "it has 2400 tokens, and fits where the others leave"


def test_a_message_that_was_worked_on_stays_seen():
    turn = routed()
    turn.say("", call("list_events"))
    turn.run("list_events")
    turn.tell(Overflowed(25_000, 4096, view(1000, 90_000, tokens=900), "too long"))
    assert (turn.end.type, turn.end.is_unseen) == ("turn_failed", False)


def test_it_leaves_the_view_alone_and_the_next_stands_where_it_was():
    conversation = Conversation(talk("a", "b"))
    before = list(conversation.messages)
    started, _, _ = talk("c")
    conversation.add(started)
    conversation.add(TurnFailed(turn="c", error="too long", code="model_failed", is_unseen=True))
    assert conversation.messages == before
    assert (conversation.view().tokens, [turn for turn, _ in conversation.view().turns]) == (110, ["a", "b"])
    for event in talk("d"):
        conversation.add(event)
    assert contents(conversation)[-4:] == ["b", "Yes, b.", "d", "Yes, d."]
    conversation.add(ContextTrimmed(turn="d", kept_from="", dropped=3, n_ctx=9, summary="So far.", cause="asked"))
    conversation.add(started)
    conversation.add(TurnFailed(turn="c", error="too long", code="model_failed", is_unseen=True))
    assert [json.loads(message)["role"] for message in conversation.messages] == ["user", "assistant"]
    assert conversation.view().turns == ()


@pytest.mark.parametrize("summary", ["", "So far."])
def test_what_left_for_it_is_back(summary: str):
    said = [*talk("a", "b"), ContextTrimmed(turn="b", kept_from="b", dropped=1, n_ctx=9, summary="First.", cause="asked"), *talk("d")]
    conversation = Conversation(said)
    before, view_before = list(conversation.messages), conversation.view()
    started, replied, done = talk("c")
    failing = [
        started,
        ContextTrimmed(turn="c", kept_from="d", dropped=1, n_ctx=9, summary=summary),
        ContextTrimmed(turn="c", kept_from="c", dropped=1, n_ctx=9, cause="refused"),
    ]
    for event in failing:
        conversation.add(event)
    cut = list(conversation.messages)
    assert before[-1] not in cut
    failed = TurnFailed(turn="c", error="too long", code="model_failed", is_unseen=True)
    conversation.add(failed)
    assert (conversation.messages, conversation.view()) == (before, view_before)
    assert Conversation([*said, *failing, failed]).messages == before
    answered = Conversation([*said, *failing, replied, done])
    assert answered.messages[:-1] == cut, "what was answered stays as it was read"


@pytest.mark.anyio
@pytest.mark.parametrize("summarise_from", [4096, 8192])
async def test_after_a_message_that_others_left_for_in_vain_the_model_knows_them_again(home: Home, summarise_from: int):
    settings = AgentSettings(agent=AgentSection(summarise_from=summarise_from))
    summed = [lengthy("They drink tea.", 990)] if summarise_from == 4096 else []
    script = [
        lengthy("One.", 500),
        lengthy("Two.", 900),
        *summed,
        Say(status=400, error=TOO_LONG),
        lengthy("Tea.", 950),
        lengthy("Six.", 990),
    ]
    with anyio.fail_after(60):
        async with agent_of(home, script, settings=settings) as agent:
            await agent.ask("I drink peppermint tea")
            await agent.ask("and I rise at six")
            events = await agent.ask("Read this: " + "the water is off on Monday. " * 450)
            assert "context_trimmed" in [event.type for event in events]
            assert isinstance(events[-1], TurnFailed)
            await agent.ask("what do I drink?")
            said = [message["content"].split("\n")[-1] for message in agent.model.requests[-1]["messages"][1:]]
            assert said == ["I drink peppermint tea", "One.", "and I rise at six", "Two.", "what do I drink?"]
        async with agent_of(home, script[-1:], settings=settings, session=agent.session) as later:
            await later.ask("when do I rise?")
            said = [message["content"].split("\n")[-1] for message in later.model.requests[-1]["messages"][1:]]
            assert (said[0], said[-3:]) == ("I drink peppermint tea", ["what do I drink?", "Tea.", "when do I rise?"])
