"""A model that thinks longer than it has room for: the person is told so, and a summary has room for thoughts and never holds them."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from agent.errors import ModelFailed
from agent.events import ContextTrimmed, TurnDone, TurnFailed
from agent.turns.turn import EMPTY_ANSWER
from agent.view.summary import MOST_CHARS, SUMMARY_TOKENS, room_to_sum_up
from config.paths import Home
from config.schema import AgentSection, AgentSettings
from tests.agent.runtimes import Agent, agent_of
from tests.agent.test_compact import LONG
from tests.agent.test_summary import lengthy
from tests.agent.turns import routed
from tests.fakes.scripted_model import Say
from tests.fakes.templates import opens_thoughts

pytestmark = pytest.mark.anyio
SETTINGS = AgentSettings(agent=AgentSection(summarise_from=4096))
THOUGHT = "The person wants me to sum up. Do I mention the tea? Hmm.\n"
STILL_THINKING = (
    "The model reached its limit of 2048 tokens while it was still thinking. Raise agent.max_tokens, or ask a tier that thinks less."
)
USED = {"prompt_tokens": 100, "completion_tokens": 2048}


async def talked(agent: Agent, *texts: str) -> None:
    for text in texts:
        assert isinstance((await agent.ask(text))[-1], TurnDone)


async def summaries(agent: Agent) -> list[str]:
    return [event.summary for event in await agent.stored() if isinstance(event, ContextTrimmed)]


@pytest.mark.parametrize(
    "answer",
    [
        Say("", reasoning="Let me think. " * 9, finish="length", usage=USED),
        Say("<think>" + "Let me think. " * 9, finish="length", usage=USED),
        Say("", finish="length", usage=USED),
    ],
)
async def test_who_thinks_up_to_the_limit_is_not_asked_again_and_the_person_is_told_what_helps(home: Home, answer: Say):
    with anyio.fail_after(60):
        async with agent_of(home, [answer, answer]) as agent:
            failed = (await agent.ask("a hard one"))[-1]
            assert isinstance(failed, TurnFailed)
            assert (failed.error, failed.code, len(agent.model.bodies)) == (STILL_THINKING, "model_failed", 1)


def test_an_empty_answer_that_was_not_cut_off_is_asked_for_again():
    turn = routed()
    turn.say("")
    turn.say("")
    assert turn.end.error == EMPTY_ANSWER


@pytest.mark.parametrize(("said", "n_ctx", "room"), [(None, 8000, 2000), (500, 8000, 500), (None, 0, 1024)])
async def test_a_summary_has_room_for_thoughts_as_an_answer_has(home: Home, said: int | None, n_ctx: int, room: int):
    settings = AgentSettings(agent=AgentSection(summarise_from=4096, max_tokens=said))
    script = [lengthy("One.", 900), lengthy("Two.", 1800), lengthy("They drink tea.", 2000)]
    with anyio.fail_after(60):
        async with agent_of(home, script, settings=settings) as agent:
            agent.model.meta, agent.model.real_n_ctx = ({"n_ctx": n_ctx} if n_ctx else {}), n_ctx
            await talked(agent, LONG, "and I rise at six")
            await agent.runtime.compact(agent.session)
            assert agent.model.requests[2]["max_tokens"] == SUMMARY_TOKENS + room


@pytest.mark.parametrize(
    ("left", "room"), [(None, SUMMARY_TOKENS + 2000), (9000, SUMMARY_TOKENS + 2000), (1500, 1500), (9, SUMMARY_TOKENS)]
)
def test_a_summary_has_no_more_room_than_its_context_has_left(left: int | None, room: int):
    assert room_to_sum_up(2000, left) == room


async def test_who_thinks_up_to_the_limit_of_a_summary_is_named_so(home: Home):
    thinks = Say("", reasoning="The person first asked. " * 9, finish="length", usage=USED)
    with anyio.fail_after(60):
        async with agent_of(home, [lengthy("One.", 900), lengthy("Two.", 1800), thinks], settings=SETTINGS) as agent:
            await talked(agent, LONG, "and I rise at six")
            before = await agent.stored()
            with pytest.raises(ModelFailed, match="still thinking.*Nothing was changed"):
                await agent.runtime.compact(agent.session)
            assert await agent.stored() == before


@pytest.mark.parametrize(
    ("answer", "summary"), [(Say(f"{THOUGHT}</think>\n\nThey drink tea."), "They drink tea."), (Say(THOUGHT * 3, finish="length"), "")]
)
@pytest.mark.parametrize("is_asked", [True, False])
async def test_thoughts_that_the_template_opens_are_no_summary(home: Home, answer: Say, summary: str, is_asked: bool):
    script = [lengthy("Hm.</think>\n\nOne.", 900), lengthy("Hm.</think>\n\nTwo.", 1800 if is_asked else 3900), answer]
    with anyio.fail_after(60):
        async with agent_of(home, [*script, Say("Hm.</think>\n\nThree.")], settings=SETTINGS) as agent:
            agent.model.template = opens_thoughts
            await talked(agent, LONG, "and I rise at six")
            if not is_asked:
                await talked(agent, "three")
            elif summary:
                await agent.runtime.compact(agent.session)
            else:
                with pytest.raises(ModelFailed):
                    await agent.runtime.compact(agent.session)
            assert await summaries(agent) == ([] if is_asked and not summary else [summary])


async def test_an_answer_that_is_cut_off_inside_thoughts_which_the_template_opened_is_no_answer(home: Home):
    cut_off = Say(THOUGHT * 3, finish="length", usage=USED)
    with anyio.fail_after(60):
        async with agent_of(home, [Say("Hm.</think>\n\nOne."), cut_off]) as agent:
            agent.model.template = opens_thoughts
            await talked(agent, "one")
            failed: Any = (await agent.ask("a hard one"))[-1]
            assert failed.error == STILL_THINKING


async def test_what_finds_no_end_is_no_longer_than_a_summary(home: Home):
    script = [lengthy("One.", 900), lengthy("Two.", 1800), Say("They drink tea. " * 900, finish="length")]
    with anyio.fail_after(60):
        async with agent_of(home, script, settings=SETTINGS) as agent:
            await talked(agent, LONG, "and I rise at six")
            await agent.runtime.compact(agent.session)
            assert [len(summary) for summary in await summaries(agent)] == [MOST_CHARS]
