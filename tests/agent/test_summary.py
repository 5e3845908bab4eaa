"""What leaves a model's view is summed up by that model first, where its context is worth it; else it just leaves."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest

from agent.calls.assemble import Reply
from agent.events import ContextTrimmed, TurnDone, Usage
from agent.turns.budget import Limits
from agent.turns.effects import CallModel, LookUpTiers, Overflowed, Summarise, Summarised, TiersKnown
from agent.view.context import Conversation
from agent.view.summary import REQUEST, summary_in
from agent.view.window import Cut
from bots.lines import trimmed_line
from config.paths import Home
from config.schema import AgentSection, AgentSettings
from tests.agent.runtimes import agent_of
from tests.agent.test_window import talk, view
from tests.agent.turns import Turn, routed, rules
from tests.fakes.scripted_model import Say

LARGE = 16384


def full(n_ctx: int, **changes: Any) -> Turn:
    turn = Turn(rules=rules(**changes))
    turn.pending.remove(LookUpTiers())
    turn.tell(TiersKnown(frozenset({"fast"}), {"fast": n_ctx}, view(1000, 1000, 1000, tokens=round(n_ctx * 0.95))))
    return turn


def test_a_large_context_is_summed_up_once_and_then_the_model_is_called():
    turn = full(LARGE)
    (asked,) = turn.pending
    assert asked == Summarise("fast", Cut("t2", 2), LARGE)
    turn.pending.clear()
    turn.tell(Summarised(Cut("t2", 2), LARGE, "They like tea.", Usage(prompt_tokens=15000, completion_tokens=9)))
    (trimmed,) = turn.of("context_trimmed")
    assert (trimmed.kept_from, trimmed.summary, trimmed.cause) == ("t2", "They like tea.", "full")
    assert turn.pending == [CallModel("fast")]
    assert (turn.state.usage.prompt_tokens, turn.state.usage.requests) == (15000, 0)


@pytest.mark.parametrize("summary", ["They like tea.", ""])
def test_what_a_summary_cost_counts_for_the_turns_budget(summary: str):
    turn = full(LARGE, limits=Limits(max_turn_money=1.0))
    turn.pending.clear()
    turn.tell(Summarised(Cut("t2", 2), LARGE, summary, Usage(prompt_tokens=15000, money=10.0)))
    assert turn.pending == []
    assert turn.end.answer.startswith("I stopped, having cost 10, without")
    assert turn.end.usage.money == 10.0


def test_a_summary_that_failed_leaves_the_trimming_that_there_always_was():
    turn = full(LARGE)
    turn.tell(Summarised(Cut("t2", 2), LARGE, ""))
    assert [(event.dropped, event.summary) for event in turn.of("context_trimmed")] == [(2, "")]
    assert CallModel("fast") in turn.pending


def test_a_small_context_is_not_summed_up():
    turn = full(4096)
    assert turn.pending == [CallModel("fast")]
    assert turn.of("context_trimmed")[0].summary == ""


def test_a_crash_before_the_summary_loses_nothing():
    turn = full(LARGE)
    turn.crash()
    assert turn.pending == [CallModel("fast")]
    turn.tell(Summarised(Cut("t2", 2), LARGE, "too late is no harm"))
    turn.say("done")
    assert turn.end.type == "turn_done"


def test_a_request_that_is_still_too_long_after_turns_have_left_is_not_tried_a_third_time():
    turn = routed()
    turn.pending.clear()
    turn.tell(Overflowed(5000, 4096, view(4000, 500, 500), "too long"))
    assert turn.of("context_trimmed")[0].cause == "refused"
    turn.tell(Overflowed(4500, 4096, view(500, 500), "too long"))
    assert (turn.end.type, turn.end.error) == ("turn_failed", "too long")


@pytest.mark.parametrize(("summary", "said"), [("", "view (9 tokens); "), ("So far.", "view (9 tokens); a summary stands there instead; ")])
def test_the_person_is_told_whether_something_stands_for_what_left(summary: str, said: str):
    assert said in trimmed_line(ContextTrimmed(turn="t", kept_from="t", dropped=2, n_ctx=9, summary=summary))


def contents(conversation: Conversation) -> list[str]:
    return [json.loads(message)["content"] for message in conversation.messages]


def test_the_summary_stands_where_the_oldest_turns_were_and_the_rest_keeps_its_bytes():
    conversation = Conversation(talk("a", "b", "c"))
    before = list(conversation.messages)
    asked = conversation.to_summarise()
    assert asked[:4] == before[:4]
    assert json.loads(asked[4]) == {"role": "user", "content": REQUEST}
    conversation.add(ContextTrimmed(turn="c", kept_from="c", dropped=2, n_ctx=LARGE, summary="A and b."))
    assert contents(conversation) == [REQUEST, "A and b.", "c", "Yes, c."]
    assert conversation.messages[2:] == before[4:]
    assert [turn for turn, _ in conversation.view().turns] == ["c"]
    for event in talk("d", "e"):
        conversation.add(event)
    conversation.add(ContextTrimmed(turn="e", kept_from="d", dropped=1, n_ctx=LARGE))
    assert contents(conversation)[:3] == [REQUEST, "A and b.", "d"]
    conversation.add(ContextTrimmed(turn="e", kept_from="e", dropped=1, n_ctx=LARGE, summary="All of it."))
    assert contents(conversation) == [REQUEST, "All of it.", "e", "Yes, e."]


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ('<tool_call>\n{"name": "recall", "arguments": {"query": "one"}}\n</tool_call>', ""),
        ("<|channel|>commentary<|message|>We spoke of Anna.<|end|>", "We spoke of Anna."),
        (" They like tea. ", "They like tea."),
    ],
)
def test_a_call_in_the_text_is_no_summary_and_marks_are_none_of_it(text: str, summary: str):
    assert summary_in(Reply(text), {"recall"}) == summary


def lengthy(text: str, tokens: int) -> Say:
    return Say(text, usage={"prompt_tokens": tokens, "completion_tokens": 5})


@pytest.mark.anyio
@pytest.mark.parametrize(
    "answer",
    [lengthy("They asked one and two.", 20), Say(status=500, error={"message": "no"}), Say(""), Say(calls=[("recall", {"query": "one"})])],
)
async def test_a_long_conversation_is_summed_up_on_the_way_to_its_next_answer(home: Home, answer: Say):
    settings = AgentSettings(agent=AgentSection(summarise_from=4096))
    shown: list[Any] = []
    with anyio.fail_after(90):
        script = [lengthy("One.", 100), lengthy("Two.", 3900), answer, Say("Three."), Say("Four.")]
        async with agent_of(home, script, settings=settings) as agent:
            await agent.ask("one")
            await agent.ask("two")
            events = await agent.ask("three", on_event=shown.append)
            assert isinstance(events[-1], TurnDone)
            assert events[-1].answer == "Three."
            (trimmed,) = (event for event in events if isinstance(event, ContextTrimmed))
            assert trimmed.summary == answer.text
            assert (trimmed.usage.prompt_tokens > 0) is (answer.status == 200), "no summary took as much as one"
            assert not any(event.type == "text_delta" and "asked" in event.text for event in shown)
            second, summing, third = (agent.model.bodies[place] for place in (1, 2, 3))
            shared = second[: second.index(b'],"tools"')]
            assert summing.startswith(shared), "the cached prefix is appended to"
            tools = [body[body.index(b'"tools"') : body.index(b'"cache_prompt"')] for body in (second, summing, third)]
            assert tools[0] == tools[1] == tools[2]
            said = [message["content"].split("\n")[-1] for message in agent.model.requests[3]["messages"][1:]]
            assert said == ([REQUEST, answer.text, "three"] if answer.text else ["three"])
            await agent.ask("four")
            assert agent.model.bodies[4].startswith(third[: third.index(b'],"tools"')])
