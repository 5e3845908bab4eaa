"""Thoughts are sent again exactly where a model's template leaves them where they were; looking at it never causes a load."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.abc import TaskStatus

from agent.engine.templates import TEMPLATES_FILE
from agent.events import ModelReplied, TextDelta
from agent.view.context import Conversation
from agent.view.replay import Carriage, Verdict, scenes, verdict_on, worst
from config.paths import Home
from config.schema import AgentSettings
from tests.agent.runtimes import Agent, agent_of
from tests.fakes import templates
from tests.fakes.scripted_model import Say, scripted_model

Template = Callable[[Mapping[str, Any]], str]
LIST = ("list_events", {"when": "tomorrow"})
RAW = "<think>\nhm\n</think>\n\nOne."


def verdict(template: Template, carriage: Carriage) -> Verdict:
    def written(messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]]) -> str:
        return template({"messages": messages, "tools": tools, "add_generation_prompt": False})

    return worst([verdict_on(scene, written(scene.earlier, scene.tools), written(scene.later, scene.tools)) for scene in scenes(carriage)])


@pytest.mark.parametrize(
    ("template", "field", "inline"),
    [
        (templates.keeps, "kept", "kept"),
        (templates.ignores, "dropped", "kept"),
        (templates.drops_at_the_next_question, "dropped", "kept"),
        (templates.keeps_but_not_with_calls, "dropped", "kept"),
        (templates.puts_after, "moved", "kept"),
        (templates.gathers_on_top, "moved", "kept"),
        (templates.strips_tags, "dropped", "dropped"),
    ],
)
def test_a_template_is_known_by_what_it_does(template: Template, field: Verdict, inline: Verdict):
    assert (verdict(template, "field"), verdict(template, "inline")) == (field, inline)


@asynccontextmanager
async def thinking(home: Home, template: Template | None, script: Sequence[Say], **changes: Any) -> AsyncGenerator[Agent]:
    with anyio.fail_after(60):
        async with agent_of(home, script, settings=AgentSettings()) as agent:
            agent.model.template = template
            for name, value in changes.items():
                setattr(agent.model, name, value)
            yield agent


def thoughts_sent(agent: Agent) -> list[str]:
    return [message["reasoning_content"] for message in agent.model.requests[-1]["messages"] if "reasoning_content" in message]


SCRIPT = [Say("Let me see.", [LIST], reasoning="hm"), Say("One.", reasoning="well"), Say("Two.")]
ONE_LOOK = ["/engine/status", "/props?model=fast 0", *["/apply-template 0"] * 4]


@pytest.mark.anyio
async def test_thoughts_that_the_template_keeps_are_sent_as_they_were_generated(home: Home):
    async with thinking(home, templates.keeps, SCRIPT) as agent:
        await agent.ask("first")
        await agent.ask("second")
        assert thoughts_sent(agent) == ["hm", "well"]


@pytest.mark.anyio
@pytest.mark.parametrize("template", [templates.ignores, templates.drops_at_the_next_question, templates.puts_after])
async def test_thoughts_that_would_not_stay_are_not_sent_and_still_stored(home: Home, template: Template):
    async with thinking(home, template, SCRIPT) as agent:
        await agent.ask("first")
        await agent.ask("second")
        stored = [event for event in await agent.stored() if isinstance(event, ModelReplied)]
        assert thoughts_sent(agent) == []
        assert [(event.reasoning, event.drops_thoughts) for event in stored] == [("hm", True), ("well", True), ("", False)]


@pytest.mark.anyio
@pytest.mark.parametrize("template", [templates.keeps, templates.ignores, templates.drops_at_the_next_question, templates.gathers_on_top])
async def test_whatever_the_template_does_each_prompt_begins_with_the_one_before(home: Home, template: Template):
    async with thinking(home, template, SCRIPT) as agent:
        await agent.ask("first")
        await agent.ask("second")
        prompts = [template({**request, "add_generation_prompt": False}) for request in agent.model.requests]
    assert len(prompts) == 3
    assert all(later.startswith(earlier.rstrip()) for earlier, later in zip(prompts, prompts[1:], strict=False))


@pytest.mark.anyio
async def test_thoughts_in_the_text_go_where_the_template_would_take_them_out(home: Home):
    async with thinking(home, templates.strips_tags, [Say(RAW), Say("Two.")]) as agent:
        await agent.ask("first")
        await agent.ask("second")
        assert [message["content"] for message in agent.model.requests[1]["messages"] if message["role"] == "assistant"] == ["One."]


UNOPENED = "The tag is next. </think> One."


@pytest.mark.anyio
async def test_an_end_of_thoughts_that_nothing_began_counts_only_where_the_template_begins_them(home: Home):
    for template, expected in (
        (templates.opens_thoughts, ("The tag is next.", "One.")),
        (templates.keeps, ("", UNOPENED)),
        (None, ("", UNOPENED)),
    ):
        async with thinking(home, template, [Say(UNOPENED), Say(UNOPENED)]) as agent:
            events = [*await agent.ask("first"), *await agent.ask("second")]
            replied = [event for event in events if isinstance(event, ModelReplied)]
            assert [(event.reasoning, event.text) for event in replied] == [expected, expected]
            assert not template or agent.model.looks.count("/apply-template 0") <= 5


async def streamed(agent: Agent, text: str) -> str:
    """What of an answer is on the screen before it is whole, with no listener slower than the model."""
    pieces: list[str] = []

    async def listen(*, task_status: TaskStatus[None]) -> None:
        task_status.started()
        async for event in agent.runtime.events(agent.session):
            if isinstance(event, TextDelta):
                pieces.append(event.text)  # noqa: PERF401 - it never ends, so it is no list

    async with anyio.create_task_group() as tasks:
        await tasks.start(listen)
        await anyio.wait_all_tasks_blocked()
        await agent.ask(text)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    return "".join(pieces)


@pytest.mark.anyio
async def test_thoughts_that_the_template_begins_are_not_shown_while_they_stream_once_that_is_known(home: Home):
    async with thinking(home, templates.opens_thoughts, [Say(UNOPENED), Say(UNOPENED)]) as agent:
        assert await streamed(agent, "first") == UNOPENED
        assert await streamed(agent, "second") == "One."
    # As it stands in the file, the next service knows it from the start; another answer is whole in the end, and then forgets it.
    async with thinking(home, templates.opens_thoughts, [Say(UNOPENED), Say("Plain."), Say("Plain again.")]) as agent:
        assert await streamed(agent, "first") == "One."
        assert await streamed(agent, "second") == ""
        assert await streamed(agent, "third") == "Plain again."
        assert [event.text for event in await agent.stored() if isinstance(event, ModelReplied)] == ["One.", "Plain.", "Plain again."]
    assert "inside" not in (home.state_dir / TEMPLATES_FILE).read_text(encoding="utf-8")


@pytest.mark.anyio
async def test_a_template_is_looked_at_once_and_its_verdict_outlives_the_service(home: Home):
    async with thinking(home, templates.ignores, SCRIPT) as agent:
        await agent.ask("first")
        assert agent.model.looks == ONE_LOOK
    async with thinking(home, templates.keeps, [Say("One.", reasoning="hm"), Say("Two.")]) as agent:
        await agent.ask("first")
        await agent.ask("second")
        assert agent.model.looks == ONE_LOOK[:2]
        assert thoughts_sent(agent) == []
    assert (home.state_dir / TEMPLATES_FILE).stat().st_mode & 0o077 == 0


@pytest.mark.anyio
async def test_another_template_under_the_same_name_is_looked_at_anew(home: Home):
    async with thinking(home, templates.ignores, SCRIPT) as agent:
        await agent.ask("first")
    async with thinking(home, templates.keeps, SCRIPT, template_text="another") as agent:
        await agent.ask("first")
        await agent.ask("second")
        assert (agent.model.looks, thoughts_sent(agent)) == (ONE_LOOK, ["hm", "well"])


@pytest.mark.anyio
async def test_a_model_that_does_not_think_is_not_looked_at(home: Home):
    async with thinking(home, templates.keeps, [Say("One.")]) as agent:
        await agent.ask("first")
        assert agent.model.looks == []


@pytest.mark.anyio
async def test_a_model_that_has_gone_is_not_called_back(home: Home):
    async with thinking(home, templates.ignores, SCRIPT, state="unloaded") as agent:
        await agent.ask("first")
        await agent.ask("second")
        assert (agent.model.looks, thoughts_sent(agent)) == (["/engine/status"], ["hm", "well"])


@pytest.mark.anyio
@pytest.mark.parametrize("template", [None, templates.takes_no_calls])
async def test_where_nothing_can_be_found_out_thoughts_are_sent_as_they_were(home: Home, template: Template | None):
    async with thinking(home, template, SCRIPT) as agent:
        await agent.ask("first")
        await agent.ask("second")
        assert thoughts_sent(agent) == ["hm", "well"]


@pytest.mark.anyio
async def test_a_file_that_cannot_be_read_holds_no_verdict(home: Home):
    (home.state_dir / TEMPLATES_FILE).write_text("[1", encoding="utf-8")
    async with thinking(home, templates.ignores, SCRIPT) as agent:
        await agent.ask("first")
        assert agent.model.looks == ONE_LOOK
    kept = json.loads((home.state_dir / TEMPLATES_FILE).read_text(encoding="utf-8"))
    assert set(kept.values()) == {"dropped"}


@pytest.mark.anyio
async def test_a_conversation_read_from_the_log_is_the_same_to_the_byte(home: Home):
    async with thinking(home, templates.ignores, SCRIPT) as agent:
        await agent.ask("first")
        opened = await agent.runtime._sessions.get(agent.session)  # pyright: ignore[reportPrivateUsage]
        assert Conversation(await agent.stored()).messages == opened.conversation.messages


@pytest.mark.anyio
@pytest.mark.parametrize(("template", "sent"), [(templates.keeps, ["hm", "well"]), (templates.ignores, [])])
async def test_another_machine_of_this_house_is_looked_at_too(home: Home, template: Template, sent: list[str]):
    async with scripted_model(SCRIPT) as far:
        far.tiers, far.template = ("deep",), template
        settings = AgentSettings.model_validate({"nodes": {"upstairs": {"url": far.url}}})
        with anyio.fail_after(60):
            async with agent_of(home, [], settings=settings) as agent:
                await agent.ask("first", tier="upstairs")
                await agent.ask("second", tier="upstairs")
        assert [message["reasoning_content"] for message in far.requests[-1]["messages"] if "reasoning_content" in message] == sent
        assert far.looks == [look.replace("model=fast", "model=deep") for look in ONE_LOOK]
