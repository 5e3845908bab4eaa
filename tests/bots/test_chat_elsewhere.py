"""Two front-ends on one conversation: what the one does the other shows, above what is being typed, and may answer for it."""

from __future__ import annotations

import io
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Any, cast

import anyio
import pytest
from rich.console import Console

from agent.events import TURN_ENDS, ApprovalAnswered, ApprovalNeeded, ContextTrimmed, Event, TextDelta
from agent.service.wire import SessionRow
from bots.link import Link
from bots.repl.asking import Asking
from bots.repl.commands import Command
from bots.repl.elsewhere import OtherTurns, Watch
from bots.repl.following import Following
from bots.repl.orders import Orders
from bots.repl.place import Place
from bots.repl.shown.screen import Screen
from bots.repl.typed.person import Answer, Person
from bots.repl.typed.pipe import PipePerson
from tests.bots.conftest import OpenChat
from tests.bots.in_process import InProcess
from tests.bots.terminal import Terminal, needs_tmux
from tests.fakes.runtime import FakeRuntime, open_fake_runtime

BOUND_S = 20


def _say(chat: Terminal, text: str, *seen: str) -> str:
    chat.type(text)
    chat.press("Enter")
    return chat.see_all(*seen)


@needs_tmux
def test_what_another_front_end_does_is_shown_at_once_above_what_is_being_typed_and_answered_here(open_chat: OpenChat) -> None:
    first = open_chat()
    first.see(">")
    _say(first, "hello", "Hello there")
    second = open_chat("--session", "s1")
    second.see_all("> hello", "Hello there", ">")
    second.type("lo")
    second.see("> lo")
    _say(first, "list", "You have two events tomorrow.")
    # What is being typed is drawn anew behind it: a look between the two sees neither wrong nor all.
    shown = second.see_all("> list (cli, elsewhere)", "✓ list_events(when: tomorrow)", "You have two events tomorrow.", "> lo")
    assert shown.rstrip().endswith("> lo")
    second.type("ng")
    second.press("Enter")
    assert second.see("Paragraph 39").count("Hello there") == 1
    # The first one saw that answer without having asked for it; now it asks for something that the second one may answer.
    first.see_all("> long (cli, elsewhere)", "Paragraph 39")
    _say(first, "add Tea", "Approve?")
    assert "12:00-13:00" in second.see_all("> add Tea (cli, elsewhere)", "Create: Tea", "/approvals asks you here")
    _say(second, "/approvals", "In this conversation:", "Approve?")
    _say(second, "y", "Created: Tea")
    first.see_all("answered elsewhere", "approved", "✓ create_event(title: Tea) → Created: Tea")
    _say(first, "hello again", "again", "Hello there")


class Typist(PipePerson):
    """Notes what is said around the line that is being typed; at a question, thinks for ever."""

    def __init__(self) -> None:
        self.statuses: list[str | None] = []
        self.pieces = 0

    def show_status(self, text: str | None) -> None:
        self.statuses.append(text)

    def write_above(self, write: Callable[[], None]) -> None:
        self.pieces += 1
        write()

    async def approve(self, needed: ApprovalNeeded) -> Answer:
        await anyio.sleep_forever()
        raise AssertionError


async def _ended(runtime: FakeRuntime, session: str, turn: str) -> None:
    async for event in runtime.events(session):
        if event.turn == turn and event.type in TURN_ENDS:
            return


@pytest.mark.anyio
@pytest.mark.parametrize("losses", [0, 2])
async def test_the_watch_shows_what_others_do_once_and_marked_and_listens_again_after_a_loss(losses: int) -> None:
    shown, person, place, opened = io.StringIO(), Typist(), Place(), 0
    with anyio.fail_after(BOUND_S):
        async with open_fake_runtime() as runtime, anyio.create_task_group() as tasks:
            link = InProcess(runtime)
            link.losses = losses
            place.session = session = await runtime.open_session()
            watch = Watch(cast("Link", link), place, OtherTurns(Screen(Console(file=shown, width=80)), person, place))
            place.turn = await runtime.send(session, "list mine", who="cli")
            await _ended(runtime, session, place.turn)
            tasks.start_soon(watch.run)
            theirs = await runtime.send(session, "hello", who="acp")
            await _ended(runtime, session, theirs)
            while not person.statuses or person.statuses[-1] != "fast · 15 tokens":
                await anyio.lowlevel.checkpoint()
            opened = link.opened
            tasks.cancel_scope.cancel()
    assert shown.getvalue() == "> hello (acp, elsewhere)\nfast: no rule matched\nHello **there**, ␛[2Jyou.\n"
    assert opened == losses + 1
    assert any(status and status.startswith("elsewhere: Hell") for status in person.statuses)


@pytest.mark.anyio
async def test_a_service_that_goes_away_again_and_again_is_not_started_for_the_watch() -> None:
    async with open_fake_runtime() as runtime:
        link, place = InProcess(runtime), Place(session=await runtime.open_session())
        link.losses = 100
        with anyio.fail_after(BOUND_S):
            await Watch(cast("Link", link), place, OtherTurns(Screen(Console(file=io.StringIO())), Typist(), place)).run()
        assert link.opened == 3


def test_an_answer_that_grows_elsewhere_shows_its_end_in_the_status_line_alone() -> None:
    shown, person = io.StringIO(), Typist()
    others = OtherTurns(Screen(Console(file=shown, width=30)), cast("Person", person), Place())
    for _ in range(20):
        others.show(TextDelta(turn="t1", text="word "))
    assert shown.getvalue() == "(a turn that was begun elsewhere goes on)\n"
    assert person.statuses[-1] == "elsewhere: …ord word word"
    others.show(ApprovalAnswered(turn="t0", approval="a", call="c", outcome="no", who="acp"))
    assert shown.getvalue().endswith("(answered elsewhere)\nrefused\n")


def test_room_that_a_person_made_is_one_line_and_no_turn_that_goes_on_and_none_where_this_screen_made_it() -> None:
    shown, person, place = io.StringIO(), Typist(), Place(session="s1", seen=5)
    others = OtherTurns(Screen(Console(file=shown, width=200)), cast("Person", person), place)
    made = ContextTrimmed(turn="t9", seq=6, kept_from="t9", dropped=8, n_ctx=8192, summary="x", cause="asked")
    others.show(made)
    (line,) = shown.getvalue().splitlines()
    assert line.startswith("the oldest 8 turns are no longer in the model's view")
    place.compacted = 7
    others.show(made.model_copy(update={"seq": 7}))
    assert shown.getvalue().count("\n") == 1
    # A new turn begins as ever.
    others.show(TextDelta(turn="t9", text="word"))
    assert shown.getvalue().endswith("(a turn that was begun elsewhere goes on)\n")


@pytest.mark.anyio
async def test_a_question_that_is_answered_elsewhere_goes_away_here_and_gives_no_answer_of_its_own() -> None:
    shown, person = io.StringIO(), Typist()
    with anyio.fail_after(BOUND_S):
        async with open_fake_runtime() as runtime:
            session = await runtime.open_session()
            link, screen, place = cast("Link", InProcess(runtime)), Screen(Console(file=shown, force_terminal=True)), Place(session=session)
            asking = Asking(link, screen, person, place, anyio.sleep_forever)
            await runtime.send(session, "add Tea", who="cli")
            async for event in runtime.events(session):
                if isinstance(event, ApprovalNeeded):
                    async with anyio.create_task_group() as tasks:
                        tasks.start_soon(partial(asking.ask, [event], session=session, give=asking.give))
                        await anyio.wait_all_tasks_blocked()
                        assert asking.is_asking
                        await runtime.approve(event.approval, digest=event.digest, granted=True, who="acp")
                    break
            assert not asking.is_asking
            assert "answered elsewhere" in shown.getvalue()


class Unplaced(InProcess):
    """One whose tool server waits for a person, in a conversation that nobody can tell: such a question is in no log."""

    def __init__(self, runtime: FakeRuntime) -> None:
        super().__init__(runtime)
        self.answers: list[tuple[str, bool]] = []

    async def approvals(self) -> list[ApprovalNeeded]:
        return [] if self.answers else [QUESTION]

    async def sessions(self) -> list[SessionRow]:
        return [SessionRow(session="s1", waiting=1)]

    async def events(self, session: str, *, after: int = 0) -> AsyncGenerator[Event]:
        yield ApprovalAnswered(turn="t9", approval="q-1", call="c", outcome="yes", who="cli")

    async def approve(self, approval: str, **answer: Any) -> None:
        self.answers.append((approval, answer["granted"]))


class Agreeing(Typist):
    async def approve(self, needed: ApprovalNeeded) -> Answer:
        return "yes"


QUESTION = ApprovalNeeded(
    turn="t9", approval="q-1", call="c", name="print", tool_class="send", summary="printer asks you something", lines=(), digest="d",
    expires_at="2026-11-21T12:00:00+01:00",
)  # fmt: skip


@pytest.mark.anyio
async def test_what_a_tool_server_asks_in_another_conversation_can_be_answered_too() -> None:
    shown, person, place = io.StringIO(), Agreeing(), Place()
    with anyio.fail_after(BOUND_S):
        async with open_fake_runtime() as runtime:
            service = Unplaced(runtime)
            link, screen = cast("Link", service), Screen(Console(file=shown, width=80))
            following = Following(link, screen, person, place, None)
            orders = Orders(link, screen, person, place, following, None)
            await orders.obey(Command("/approvals", ""))
            await orders.obey(Command("/approvals", ""))
    assert service.answers == [("q-1", True)]
    assert shown.getvalue() == "printer asks you something\nNothing waits for you.\n"


@pytest.mark.anyio
async def test_a_question_that_was_heard_in_another_conversation_is_that_ones_also_after_a_move() -> None:
    shown, person, place = io.StringIO(), Agreeing(), Place()
    with anyio.fail_after(BOUND_S):
        async with open_fake_runtime() as runtime:
            service = Unplaced(runtime)
            link, screen = cast("Link", service), Screen(Console(file=shown, width=80))
            following = Following(link, screen, person, place, None)
            place.move(await runtime.open_session())
            heard_in = place.session
            following.others.show(QUESTION)
            place.move(await runtime.open_session())
            orders = Orders(link, screen, person, place, following, None)
            await orders.obey(Command("/approvals", ""))
    assert f"In {heard_in}:" in shown.getvalue()
    assert "In this conversation:" not in shown.getvalue()
