"""A conversation is compacted on a person's word: between turns, summed up, with nothing lost, or not at all."""

from __future__ import annotations

import json
from collections.abc import Sequence

import anyio
import pytest

from agent.errors import AgentError, ModelFailed, SessionBusy
from agent.events import ContextTrimmed, TurnDone
from agent.sessions.compacting import Compacted
from agent.view.context import Conversation
from agent.view.summary import REQUEST
from agent.view.window import Cut, cut_at_rest
from bots.lines import compacted_lines
from config.paths import Home
from config.schema import AgentSection, AgentSettings
from tests.agent.runtimes import Agent, agent_of
from tests.agent.test_summary import contents, lengthy
from tests.agent.test_window import talk, view
from tests.fakes.scripted_model import Say

N_CTX = 8192
LONG = "I drink peppermint tea. " + "It is a long story. " * 150
RECALL = ("recall", {"query": "peppermint"})


def test_all_but_the_last_turn_leave_and_that_one_too_where_it_takes_half_of_the_context():
    assert cut_at_rest(view(), N_CTX, is_summed_up=True) is None
    assert cut_at_rest(view(100, tokens=500), N_CTX, is_summed_up=True) is None
    assert cut_at_rest(view(2000, 2000, 100, tokens=900), N_CTX, is_summed_up=True) == Cut("t2", 2)
    assert cut_at_rest(view(1000, 1000, 100, tokens=900), N_CTX, is_summed_up=True) is None, "a summary would be longer"
    assert cut_at_rest(view(1000, 1000, 100, tokens=900), N_CTX, is_summed_up=False) == Cut("t2", 2)
    assert cut_at_rest(view(100, 9000, tokens=8000), N_CTX, is_summed_up=True) == Cut("", 2)
    assert cut_at_rest(view(9000, tokens=8000), N_CTX, is_summed_up=True) == Cut("", 1)
    assert cut_at_rest(view(9000, tokens=8000), N_CTX, is_summed_up=False) is None
    assert cut_at_rest(view(9000, tokens=8000), 0, is_summed_up=True) is None


def test_where_no_turn_stays_the_summary_stands_alone_and_the_next_turn_follows_it():
    conversation = Conversation(talk("a", "b"))
    assert [json.loads(message)["content"] for message in conversation.to_summarise(kept_from="")][-2:] == ["Yes, b.", REQUEST]
    conversation.add(ContextTrimmed(turn="b", kept_from="", dropped=2, n_ctx=N_CTX, summary="A and b.", cause="asked"))
    assert contents(conversation) == [REQUEST, "A and b."]
    for event in talk("c"):
        conversation.add(event)
    assert contents(conversation) == [REQUEST, "A and b.", "c", "Yes, c."]
    assert [turn for turn, _ in conversation.view().turns] == ["c"]


def test_the_prompt_before_the_messages_does_not_shrink_with_them():
    conversation = Conversation(talk("a", "b", "c"), prefix_size=100_000)
    conversation.add(ContextTrimmed(turn="c", kept_from="c", dropped=2, n_ctx=N_CTX))
    assert conversation.view().tokens >= 109, "of 110 tokens nearly all were the prompt's"


@pytest.mark.parametrize(
    ("done", "said"),
    [
        (Compacted(had_tokens=5000, has_tokens=5000), ["Nothing to compact"]),
        (
            Compacted(dropped=1, had_tokens=5010, has_tokens=900, n_ctx=8192, is_summed_up=True),
            ["now about 900 of 8,192", "a summary stands"],
        ),
        (Compacted(dropped=3, had_tokens=5010, has_tokens=900), ["now about 900.", "3 turns have left the model's view. All"]),
    ],
)
def test_a_person_reads_what_it_brought(done: Compacted, said: Sequence[str]):
    text = "\n".join(compacted_lines(done))
    assert [each for each in said if each not in text] == []


async def talked(agent: Agent, *texts: str) -> None:
    for text in texts:
        assert isinstance((await agent.ask(text))[-1], TurnDone)


@pytest.mark.anyio
async def test_a_conversation_is_compacted_now_and_what_left_is_recalled(home: Home):
    settings = AgentSettings(agent=AgentSection(summarise_from=4096, tools="bridge"))
    script = [
        lengthy("Peppermint it is.", 900), lengthy("Noted.", 1800), lengthy("They like tea.", 3000),
        Say(calls=[RECALL]), Say("Peppermint."), lengthy("Well.", 500),
    ]  # fmt: skip
    with anyio.fail_after(90):
        async with agent_of(home, script, settings=settings) as agent:
            assert (await agent.runtime.compact(agent.session)).dropped == 0
            await talked(agent, LONG, "and I rise at six")
            heard = await agent.stored()
            done = await agent.runtime.compact(agent.session)
            assert (done.dropped, done.had_tokens, done.is_summed_up) == (1, 1805, True)
            assert 0 < done.has_tokens < done.had_tokens
            summary_request = [message["content"] for message in agent.model.requests[2]["messages"]][1:]
            assert summary_request[1:] == ["Peppermint it is.", REQUEST], "the turn that stays is not summed up"
            (trimmed,) = (await agent.stored())[len(heard) :]
            assert isinstance(trimmed, ContextTrimmed)
            assert (trimmed.cause, trimmed.turn, trimmed.summary) == ("asked", heard[-1].turn, "They like tea.")
            again = await agent.runtime.compact(agent.session)
            assert (again.dropped, again.has_tokens) == (0, done.has_tokens)
            await talked(agent, "which tea?")
            seen = [message["content"] for message in agent.model.requests[3]["messages"]]
            assert seen[1:3] == [REQUEST, "They like tea."]
            recalled = next(message for message in agent.model.requests[4]["messages"] if message["role"] == "tool")
            assert "drink peppermint tea" in recalled["content"]
        async with agent_of(home, script[5:], settings=settings, session=agent.session, tools=agent.tools) as later:
            await talked(later, "and now?")
            assert later.model.requests[0]["messages"][1]["content"] == REQUEST, "also after a restart"


@pytest.mark.anyio
@pytest.mark.parametrize("answer", [Say(status=500, error={"message": "no"}), Say(""), Say(calls=[RECALL])])
async def test_without_a_summary_nothing_is_changed(home: Home, answer: Say):
    settings = AgentSettings(agent=AgentSection(summarise_from=4096))
    with anyio.fail_after(60):
        async with agent_of(home, [lengthy("One.", 100), lengthy("Two.", 200), answer], settings=settings) as agent:
            await talked(agent, LONG, "two")
            before = await agent.stored()
            with pytest.raises(ModelFailed):
                await agent.runtime.compact(agent.session)
            assert await agent.stored() == before


@pytest.mark.anyio
async def test_a_small_context_just_lets_the_oldest_go(home: Home):
    settings = AgentSettings(agent=AgentSection(summarise_from=1 << 20))
    with anyio.fail_after(60):
        async with agent_of(home, [lengthy("One.", 100), lengthy("Two.", 200)], settings=settings) as agent:
            await talked(agent, LONG, "two")
            done = await agent.runtime.compact(agent.session)
            assert (done.dropped, done.is_summed_up, len(agent.model.bodies)) == (1, False, 2)


@pytest.mark.anyio
async def test_it_waits_for_no_turn_and_no_turn_begins_in_it_and_a_person_may_end_it(home: Home):
    settings = AgentSettings(agent=AgentSection(summarise_from=4096))
    script = [lengthy("One.", 100), lengthy("Two.", 200), Say("slow", holds_after=0), Say("Three.")]
    with anyio.fail_after(60):
        async with agent_of(home, script, settings=settings) as agent:
            await talked(agent, LONG, "two")
            ended: list[str] = []

            async def compact() -> None:
                try:
                    await agent.runtime.compact(agent.session)
                except AgentError as error:
                    ended.append(str(error))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(compact)
                await agent.model.is_holding.wait()
                assert agent.runtime.is_busy()
                with pytest.raises(SessionBusy, match="being compacted"):
                    await agent.runtime.send(agent.session, "three", who="test")
                with pytest.raises(SessionBusy, match="being compacted"):
                    await agent.runtime.delete(agent.session)
                await agent.runtime.cancel(agent.session, who="test")
            assert ended == ["Cancelled; the conversation is as it was."]
            assert not agent.runtime.is_busy()
            await talked(agent, "three")
            await agent.runtime.send(agent.session, "four", who="test")
            with pytest.raises(SessionBusy, match="A turn is still running"):
                await agent.runtime.compact(agent.session)
            await agent.runtime.cancel(agent.session, who="test")
