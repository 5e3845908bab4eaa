"""Several questions at once: answered together or one by one, each by its own id and digest, also while another front-end answers some."""

from __future__ import annotations

import io
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

import anyio
import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput
from rich.console import Console

from agent.events import ApprovalNeeded, ModelReplied
from agent.service.client import ServiceClient
from bots.link import Link
from bots.repl.asking import OpenCalls, stands_alone
from bots.repl.following import Following
from bots.repl.place import Place
from bots.repl.shown.screen import Screen
from bots.repl.typed.choices import chosen
from bots.repl.typed.terminal import TerminalPerson
from config.paths import Home
from tests.agent.runtimes import agent_of
from tests.bots.conftest import OpenChat
from tests.bots.in_process import InProcess
from tests.bots.terminal import needs_tmux
from tests.fakes.runtime import FakeRuntime, open_fake_runtime
from tests.fakes.scripted_model import Say

BOUND_S = 30
NONE: frozenset[int] = frozenset()


@pytest.mark.parametrize(
    ("line", "granted"),
    [
        ("a", {1, 2, 3}), (" ALL ", {1, 2, 3}), ("", NONE), ("n", NONE), ("none", NONE), ("o", "each"), ("2", {2}), ("1, 3", {1, 3}),
        ("3 1 1", {1, 3}), ("4", None), ("0", None), ("1 4", None), ("y", None), ("yes", None), ("all but 2", None), ("-1", None),
    ],
)  # fmt: skip
def test_a_line_grants_all_none_or_some_and_what_could_mean_two_things_is_asked_again(line: str, granted: object) -> None:
    assert chosen(line, 3) == granted


def test_calls_of_one_reply_are_open_until_they_are_asked_about_or_run() -> None:
    calls = OpenCalls()
    reply = {"turn": "t", "text": "", "calls": [{"id": each, "name": "f", "arguments": "{}"} for each in ("c1", "c2")]}
    calls.take(ModelReplied.model_validate(reply))
    assert calls.calls == {"c1", "c2"}
    calls.take(_needed("c1"))
    assert calls.calls == {"c2"}


def test_a_changed_tool_and_a_form_are_asked_about_alone() -> None:
    assert not stands_alone(_needed("c1"))
    assert stands_alone(_needed("c1").model_copy(update={"definition": "d"}))


def _needed(call: str) -> ApprovalNeeded:
    return ApprovalNeeded(
        turn="t", approval=f"a-{call}", call=call, name="f", tool_class="write", summary="s", lines=(), digest="d",
        expires_at="2026-11-21T12:00:00+01:00",
    )  # fmt: skip


class Watched(TerminalPerson):
    """One whose prompts are counted."""

    asked: tuple[str, ...] = ()

    async def _line(self, prompt: str) -> str:
        self.asked = (*self.asked, prompt)
        return await super()._line(prompt)


@dataclass
class Desk:
    """A person at keys, in one of the front-ends of a conversation."""

    runtime: FakeRuntime
    following: Following
    person: Watched
    keys: PipeInput
    shown: io.StringIO

    async def sees(self, text: str) -> None:
        """Until it has been written on the screen."""
        while text not in self.shown.getvalue():  # noqa: ASYNC110 - a screen tells nobody
            await anyio.sleep(0.01)

    async def is_asked(self, *prompts: str) -> None:
        """Until these prompts have been there, one after the other, and the last one still is."""
        while len(self.person.asked) < len(prompts):  # noqa: ASYNC110 - as above
            await anyio.sleep(0.01)
        assert [text in asked for text, asked in zip(prompts, self.person.asked, strict=True)] == [True] * len(prompts)
        await anyio.sleep(0.05)

    async def answered_elsewhere(self, call: str, *, granted: bool) -> None:
        needed = next(each for each in self.runtime.approvals() if each.call == call)
        await self.runtime.approve(needed.approval, digest=needed.digest, granted=granted, who="acp")


@asynccontextmanager
async def desk() -> AsyncGenerator[Desk]:
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()), anyio.fail_after(BOUND_S):
        async with open_fake_runtime() as runtime:
            shown = io.StringIO()
            screen = Screen(Console(file=shown, width=100, force_terminal=True, color_system=None))
            person = Watched(screen, history=None, commands=[])
            following = Following(cast("Link", InProcess(runtime)), screen, person, Place(), None)
            with person.listening(lambda: None):
                yield Desk(runtime, following, person, keys, shown)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("keys", "created"),
    [
        (["a\r"], ["Rent", "Tea", "Walk"]),
        (["\r"], []),
        (["y\r", "1 3\r"], ["Tea", "Walk"]),
        (["o\r", "y\r", "n\r", "y\r"], ["Tea", "Walk"]),
    ],
)
async def test_what_waits_at_once_is_asked_together(keys: list[str], created: list[str]) -> None:
    async with desk() as here, anyio.create_task_group() as tasks:
        tasks.start_soon(_answer_when_asked, here, keys)
        await here.following.say("adds Tea Rent Walk", tier=None)
        assert sorted(here.runtime.created) == created
        assert all(title in here.shown.getvalue() for title in ("1. Create: Tea", "2. Create: Rent", "3. Create: Walk"))


async def _answer_when_asked(here: Desk, keys: list[str]) -> None:
    for number, key in enumerate(keys, 1):
        await here.is_asked(*["Approve"] * number)
        here.keys.send_text(key)


@pytest.mark.anyio
async def test_one_of_several_that_is_answered_elsewhere_is_left_out_and_the_rest_goes_by_what_was_shown() -> None:
    async with desk() as here, anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: here.following.say("adds Tea Rent Walk", tier=None))
        await here.is_asked("Approve these 3?")
        await here.answered_elsewhere("c1", granted=False)
        await here.sees("one of them was answered elsewhere")
        here.keys.send_text("1 2\r")
        await here.sees("Created: Rent")
    # Not the first one, which was refused elsewhere, and not the third one, which would be the second of those that are left.
    assert here.runtime.created == ["Rent"]


@pytest.mark.anyio
async def test_several_that_are_all_answered_elsewhere_go_away_and_ctrl_c_ends_the_turn_of_those_that_are_not() -> None:
    async with desk() as here:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: here.following.say("adds Tea Rent", tier=None))
            await here.is_asked("Approve these 2?")
            for call in ("c1", "c2"):
                await here.answered_elsewhere(call, granted=True)
        assert sorted(here.runtime.created) == ["Rent", "Tea"]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: here.following.say("adds Walk Run", tier=None))
            await here.is_asked("Approve these 2?", "Press Enter")
            here.keys.send_text("\r")
            await here.is_asked("Approve these 2?", "Press Enter", "Approve these 2?")
            here.keys.send_text("\x03")
        assert "Cancelled." in here.shown.getvalue()
        assert sorted(here.runtime.created) == ["Rent", "Tea"]


@pytest.mark.anyio
async def test_a_yes_to_a_question_that_was_answered_elsewhere_is_no_answer_to_the_next_one() -> None:
    async with desk() as here, anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: here.following.say("add2", tier=None))
        await here.is_asked("Approve?")
        await here.answered_elsewhere("c1", granted=False)
        await here.is_asked("Approve?", "Press Enter")
        here.keys.send_text("y\r")
        await here.is_asked("Approve?", "Press Enter", "Approve?")
        assert here.runtime.created == []
        here.keys.send_text("\r")
    assert here.runtime.created == []


@pytest.mark.anyio
async def test_a_question_at_the_same_place_of_another_conversation_is_asked_too() -> None:
    async with desk() as here:
        for number, title in enumerate(("Tea", "Rent"), 1):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda title=title: here.following.say(f"add {title}", tier=None))
                await here.is_asked(*["Approve?"] * number)
                here.keys.send_text("y\r")
            here.following._place.move(None)  # pyright: ignore[reportPrivateUsage] - as /new does
        assert here.runtime.created == ["Tea", "Rent"]
        assert len(here.runtime.sessions()) == 2


@pytest.mark.anyio
async def test_a_second_yes_in_the_same_breath_is_no_answer_to_a_question_that_is_not_there_yet() -> None:
    async with desk() as here:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: here.following.say("add2", tier=None))
            await here.is_asked("Approve?")
            here.keys.send_text("y\ry\r")
            await here.is_asked("Approve?", "Approve?")
            assert here.runtime.created == ["One"]
            here.keys.send_text("n\r")
        assert here.runtime.created == ["One"]
        assert await here.person.read() == "y"


@pytest.mark.anyio
async def test_an_answer_that_comes_too_late_for_its_question_is_no_message_either() -> None:
    async with desk() as here:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: here.following.say("add Tea", tier=None))
            await here.is_asked("Approve?")
            await here.answered_elsewhere("c1", granted=True)
        here.keys.send_text("y\rhello\r")
        assert await here.person.read() == "hello"
        assert 'Not sent: "y"' in here.shown.getvalue()


@pytest.mark.anyio
@pytest.mark.parametrize(("line", "done"), [("a", ["Tea", "Rent"]), ("2", ["Rent"]), ("", [])])
async def test_what_a_turn_left_waiting_runs_one_after_the_other_in_turns_of_its_own(home: Home, line: str, done: list[str]) -> None:
    calls = [("create_event", {"title": name, "when": "tomorrow"}) for name in ("Tea", "Rent")]
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()), anyio.fail_after(BOUND_S):
        async with agent_of(home, [Say(calls=calls)]) as agent:
            await agent.ask(interactive=False)
            place, screen = (
                Place(session=agent.session, seen=len(await agent.stored())),
                Screen(Console(file=io.StringIO(), force_terminal=True)),
            )
            person = Watched(screen, history=None, commands=[])
            service = InProcess(agent.runtime)
            following = Following(cast("Link", service), screen, person, place, None)
            keys.send_text(f"{line}\r")
            await following.ask_waiting(cast("ServiceClient", service), agent.session)
            assert person.asked == ("Approve these 2? [a]ll, numbers (1 2), [o]ne by one, [N]one: ",)
            assert [str(each["arguments"]["title"]) for each in agent.effects] == done
            assert agent.runtime.approvals() == []


@pytest.mark.anyio
async def test_a_yes_to_what_the_assistant_asks_after_such_a_turn_is_a_message() -> None:
    async with desk() as here:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: here.following.say("add Tea", tier=None))
            await here.is_asked("Approve?")
            await here.answered_elsewhere("c1", granted=True)
        with here.person.listening(lambda: None):
            # The turn ends with this, and with nothing typed in it.
            pass
        here.keys.send_text("yes\r")
        assert await here.person.read() == "yes"


@needs_tmux
def test_several_events_are_added_with_one_answer_in_a_narrow_terminal(open_chat: OpenChat) -> None:
    chat = open_chat(width=40, height=20)
    chat.type("adds Tea Rent")
    chat.press("Enter")
    chat.see_all("1. Create: Tea", "2. Create: Rent", "[N]one")
    chat.type("a")
    chat.press("Enter")
    chat.see_all("approved: create_event(title: Tea)", "approved: create_event(title: Rent)", "Created: Tea Created: Rent")
