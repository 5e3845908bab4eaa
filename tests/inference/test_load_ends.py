"""Every load that sets out has one end, and the list of loads tells it: the model is there, it failed, or it was stopped, and why."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from inference.catalog import ModelSpec
from inference.scheduling.endings import LoadEnd, ends
from inference.scheduling.policy import Policy
from inference.scheduling.residency import Limits, Memory
from inference.scheduling.schedule import (
    Arrived,
    Event,
    Exited,
    Left,
    Loaded,
    LoadFailed,
    MemoryReturned,
    Restored,
    ShutdownAsked,
    UnloadAsked,
)
from inference.scheduling.scheduler import step
from inference.upstream.address import Address
from inference.warmth.keeper import Keeper
from tests.fakes.children import FakeChildren
from tests.inference.engines import engine, supervised, until
from tests.inference.test_scheduler_rules import Desk, ready_desk, spec

ASKED = "a request asked for it, and there is room"


class Book(Desk):
    """A desk that writes down how loads end: model, outcome and why."""

    def __init__(self, policy: Policy | None = None) -> None:
        super().__init__(policy)
        self.ended: list[LoadEnd] = []

    def take(self, *events: Event, at: float = 0.0) -> list[tuple[str, str, str | None]]:
        for event in events:
            before = self.state
            self.state = step(before, event, at).state
            self.ended += ends(before, event, self.state, at)
        return [(end.model, end.outcome, end.why) for end in self.ended]


def test_a_load_that_comes_is_told_when_its_conversations_are_back_with_its_time_and_reason() -> None:
    book = Book()
    assert book.take(Arrived("1", "a", by="laptop"), at=1.0) == []
    assert book.take(Loaded("a", 1), at=3.0) == []
    assert book.take(Restored("a", 1), at=3.5) == [("a", "ready", None)]
    assert book.ended[0].seconds == 2.5
    assert book.ended[0].reason is not None
    assert (book.ended[0].reason.why, book.ended[0].reason.by) == (ASKED, "laptop")
    assert len(book.take(Restored("a", 1), Loaded("a", 1), Left("1"), Exited("a", 1, "it died."), at=9.0)) == 1


def test_a_load_that_fails_is_told_also_when_its_requests_wait_on_for_another_try() -> None:
    assert Book().take(Arrived("1", "a"), LoadFailed("a", 1, "no")) == [("a", "failed", "no")]
    policy = Policy({"a": spec("a"), "b": spec("b")}, memory=Memory({0: 10}, {"a": 4, "b": 4}), limits=Limits(max_llm=2))
    crowded = Book(policy)
    crowded.take(Arrived("1", "a"), Loaded("a", 1), Restored("a", 1), Left("1"), Arrived("2", "b"))
    assert crowded.take(LoadFailed("b", 1, "no memory", is_out_of_memory=True), at=1.0)[1:] == [("b", "failed", "no memory")]
    assert [waiter.id for waiter in crowded.state.waiters] == ["2"]


def test_a_process_that_dies_while_its_conversations_are_brought_back_never_came() -> None:
    book = Book()
    assert book.take(Arrived("1", "a"), Loaded("a", 1), Exited("a", 1, "it died."), Restored("a", 1)) == [("a", "failed", "it died.")]
    book.take(MemoryReturned("a", 1), at=5.0)
    assert book.take(Loaded("a", 2), Restored("a", 2), at=6.0)[1:] == [("a", "ready", None)]


@pytest.mark.parametrize(
    ("events", "why"),
    [
        ((UnloadAsked("a"),), "the model was unloaded"),
        ((ShutdownAsked(),), "the engine is stopping"),
        ((Left("1"), Arrived("2", "b")), "nobody waits for it any more"),
        ((Arrived("2", "b", takes_lease=False, is_forced=True),), "a forced switch to b"),
    ],
)
def test_a_load_that_is_stopped_on_its_way_says_why_and_what_its_process_says_then_changes_nothing(
    events: tuple[Event, ...], why: str
) -> None:
    book = Book()
    book.take(Arrived("1", "a"))
    assert book.take(*events) == [("a", "stopped", why)]
    assert len(book.take(LoadFailed("a", 1, "stopped"))) == 1


def test_a_model_that_is_there_and_goes_is_no_end_of_a_load() -> None:
    desk = ready_desk()
    before = desk.state
    desk.feed(Exited("a", 1, "it died."))
    assert ends(before, Exited("a", 1, "it died."), desk.state, 0.0) == ()


class _HeldKeeper(Keeper):
    """Brings conversations back for as long as a test says."""

    def __init__(self) -> None:
        super().__init__()
        self.is_restoring = anyio.Event()
        self.may_go_on = anyio.Event()

    async def restore(self, spec: ModelSpec, address: Address) -> None:
        self.is_restoring.set()
        await self.may_go_on.wait()
        await super().restore(spec, address)


@pytest.mark.anyio
async def test_a_death_while_conversations_are_brought_back_is_told_with_its_last_words_and_the_request_is_served(tmp_path: Path) -> None:
    children, keeper, told = FakeChildren(), _HeldKeeper(), list[LoadEnd]()
    with anyio.fail_after(20):
        async with supervised(children, tmp_path, observe_end=told.append, warmth=keeper) as supervisor:
            with supervisor.ticket("small") as ticket:
                child = await children.wait_started(1)
                child.load()
                await keeper.is_restoring.wait()
                child.die("the last words")
                await until(supervisor, lambda state: state.models["small"].phase == "unloaded")
                keeper.may_go_on.set()
                (await children.wait_started(2)).load()
                await ticket.wait_granted()
    assert [(end.model, end.outcome) for end in told] == [("small", "failed"), ("small", "ready")]
    assert told[0].why == "its process ended with code 139. Its last lines:\nthe last words"


@pytest.mark.anyio
async def test_a_load_that_failed_and_one_that_was_stopped_are_in_the_list_and_only_the_failed_one_is_counted(tmp_path: Path) -> None:
    children = FakeChildren()
    with anyio.fail_after(20):
        async with engine(children, tmp_path) as on:
            await on.client.post("/engine/switch", json={"tier": "fast", "wait": False})
            (await children.wait_started(1)).fail("bad_model", "no magic")
            await on.client.post("/engine/switch", json={"tier": "balanced", "wait": False})
            await children.wait_started(2)
            await on.client.post("/engine/unload", json={"model": "large"})
            while len(kept := (await on.client.get("/engine/swaps")).json()["swaps"]) < 2:  # noqa: ASYNC110 - a thread writes it, and tells nobody
                await anyio.sleep(0.01)
            counted = (await on.client.get("/metrics")).text
    assert [(each["model"], each["outcome"], each["reason"]["why"]) for each in kept] == [
        ("large", "stopped", "a switch or load asked for it"),
        ("small", "failed", "a switch or load asked for it"),
    ]
    assert kept[0]["error"] == "the model was unloaded"
    assert "no magic" in kept[1]["error"]
    assert 'variet_load_failures_total{model="small"} 1' in counted
    assert 'variet_load_failures_total{model="large"}' not in counted
