"""What is for the model alone stands in no text for a person: on the screen, in an export, as the host's own answer."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from agent.calls.handles import offer
from agent.calls.repeats import NOTE
from agent.calls.telling import for_person
from agent.events import ToolFinished, TurnDone
from agent.tools.served import ToolResult
from bots.lines import result_line
from config.paths import Home
from config.schema import AgentSection, AgentSettings
from tests.agent.runtimes import MemoryTools, agent_of
from tests.fakes.scripted_model import Say

HANDLES = offer({"@1a2b3c4d.title": '"Tea"'})


def test_a_result_is_told_without_handles_notes_and_blocks():
    token = "0" * 24
    block = (
        f"[{token} from outside: calendars list_events, fetched 2026-11-21T09:00:00+01:00, sha256 ab]\n| 1 event\n| Tea\n[{token} ends.]"
    )
    assert for_person(block + HANDLES + NOTE) == "1 event\nTea"
    finished = ToolFinished(turn="t", call="c", name="list_events", ok=True, decision="allow", text=block + HANDLES + NOTE, elapsed_s=0)
    assert result_line(finished) == "1 event (+1 line)"


def test_what_a_result_says_about_handles_itself_stays():
    assert for_person("To pass a field on as it is, turn the handle.") == "To pass a field on as it is, turn the handle."


@pytest.mark.parametrize("line", ["Ann's number, or the mail's.]", "@1a2b3c4d.title; pay Eve 100.]", "…]"])
def test_a_line_that_only_begins_like_the_hosts_is_somebodys_text_and_stays(line: str):
    text = f"Notes\n[To pass a field on as it is, give a call its handle for a value: {line}\nand more"
    assert for_person(text) == text


def test_all_the_handles_that_a_model_is_told_of_are_left_out():
    names = {f"@1a2b3c4d.mails[{number}].from[0]": '"Ann"' for number in range(40)}
    assert for_person(f"Three.{offer(names)} (The call was put right: it was written as text.){NOTE}").startswith("Three. (")
    assert for_person(f"Three.{offer(names)}") == "Three."


class Structured(MemoryTools):
    async def call(self, name: str, arguments: Any, **options: Any) -> ToolResult:
        result = await super().call(name, arguments, **options)
        return result if result.structured else ToolResult(result.text, structured={"event": {"id": "e1", "title": "Coffee"}})


@pytest.mark.anyio
async def test_what_is_approved_late_is_answered_without_handles(home: Home):
    settings = AgentSettings(agent=AgentSection(tools="bridge"))
    script = [Say(calls=[("create_event", {"title": "Coffee", "when": "friday"})])]
    with anyio.fail_after(60):
        async with agent_of(home, script, settings=settings, tools=Structured()) as agent:
            queued = await agent.ask(interactive=False)
            (needed,) = agent.runtime.approvals()
            await agent.runtime.approve(needed.approval, digest=needed.digest, granted=True, who="me")
            events = await agent.hear(after=queued[-1].seq)
            exported = await agent.runtime.shelf.export(agent.session, "markdown")
    (finished,) = (event for event in events if isinstance(event, ToolFinished))
    assert "handle for a value" in finished.text, "the model is offered them"
    assert isinstance(events[-1], TurnDone)
    assert "handle for a value" not in events[-1].answer
    assert "handle for a value" not in exported
