"""What is told of the models' processes comes in time, and of the process that it is about."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from inference.cards.returning import CardMemory
from inference.catalog import ModelSpec
from inference.errors import UpstreamDied
from inference.observing.history import LoadTimes
from inference.processes.child import ChildExit, ChildFailed, Progress
from inference.scheduling.residency import Taken
from inference.supervisor import Supervisor
from tests.fakes.children import FakeChild, FakeChildren
from tests.inference.engines import supervised, until

pytestmark = pytest.mark.anyio


class WakingCards(CardMemory):
    """A driver that has to wake its cards first: it is asked, and has not answered yet."""

    def __init__(self) -> None:
        super().__init__()
        self.is_asked = anyio.Event()
        self.may_answer = anyio.Event()

    async def measure(self, spec: ModelSpec, pid: int) -> Taken | None:
        self.is_asked.set()
        await self.may_answer.wait()
        return 4711


class SlowlySpawned(FakeChildren):
    """The first start takes so long that it is given up meanwhile, and learns last of all that its process was ended."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(loads_at_once=True)
        self.may_spawn, self.may_go_on, self.has_gone_on = anyio.Event(), anyio.Event(), anyio.Event()
        self._monkeypatch = monkeypatch

    async def __call__(self, spec: ModelSpec, on_progress: Callable[[Progress], None]) -> FakeChild:
        await self.may_spawn.wait()
        child = await super().__call__(spec, on_progress)
        if len(self.started) == 1:
            self._linger(child)
        return child

    def _linger(self, child: FakeChild) -> None:
        callers = 0

        async def stop() -> ChildExit:
            nonlocal callers
            callers += 1
            is_the_start = callers == 1
            exited = await FakeChild.stop(child)
            if is_the_start:
                await self.may_go_on.wait()
            return exited

        async def wait_ready() -> None:
            self.has_gone_on.set()
            raise ChildFailed("stopped", 0, ())

        self._monkeypatch.setattr(child, "stop", stop)
        self._monkeypatch.setattr(child, "wait_ready", wait_ready)


async def died_of_its_request(supervisor: Supervisor, child: FakeChild, until: anyio.Event) -> None:
    """A request that its model's process dies of, and hears of it."""
    with supervisor.ticket("small") as ticket:
        await ticket.wait_granted()
        await until.wait()
        with ticket.scope() as scope:
            child.die("GGML_ASSERT failed")
            await anyio.sleep_forever()
        assert scope.cancelled_caught
        assert isinstance(ticket.verdict, UpstreamDied)
        assert "small" not in supervisor.loaded


async def test_a_death_is_told_while_the_driver_is_still_asked_what_the_load_took(tmp_path: Path) -> None:
    children, cards = FakeChildren(), WakingCards()
    with anyio.fail_after(10):
        async with supervised(children, tmp_path, memory=cards) as supervisor:
            await supervisor.want("small")
            (child := await children.wait_started(1)).load()
            await died_of_its_request(supervisor, child, cards.is_asked)


async def test_a_death_is_told_while_a_slow_disk_still_keeps_how_long_the_load_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    children, may_save, is_saving, token = FakeChildren(), threading.Event(), anyio.Event(), anyio.lowlevel.current_token()

    def save(_: LoadTimes) -> None:
        anyio.from_thread.run_sync(is_saving.set, token=token)
        may_save.wait(20)

    monkeypatch.setattr(LoadTimes, "save", save)
    with anyio.fail_after(10):
        async with supervised(children, tmp_path) as supervisor:
            try:
                await supervisor.want("small")
                (child := await children.wait_started(1)).load()
                await died_of_its_request(supervisor, child, is_saving)
            finally:
                may_save.set()


async def test_late_news_of_a_process_that_was_replaced_ends_no_request_of_the_one_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    children, may_tell, is_told = FakeChildren(), anyio.Event(), anyio.Event()

    async def tell_late() -> ChildExit:
        await may_tell.wait()
        is_told.set()
        return ChildExit(0, ())

    with anyio.fail_after(10):
        async with supervised(children, tmp_path) as supervisor:
            await supervisor.want("small")
            first = await children.wait_started(1)
            monkeypatch.setattr(first, "wait_exited", tell_late)
            first.load()
            with supervisor.ticket("small") as ticket:
                await ticket.wait_granted()
            await supervisor.unload("small")
            children.loads_at_once = True
            with supervisor.ticket("small") as ticket:
                await ticket.wait_granted()
                may_tell.set()
                await is_told.wait()
                await supervisor.want("small")  # What was posted before it has been decided then.
                assert ticket.verdict is None
            assert supervisor.loaded == ("small",)


async def test_a_start_that_was_given_up_leaves_nothing_of_its_process_in_the_status_of_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    children = SlowlySpawned(monkeypatch)
    with anyio.fail_after(10):
        async with supervised(children, tmp_path) as supervisor:
            async with anyio.create_task_group() as tasks:
                await supervisor.want("small")
                tasks.start_soon(supervisor.unload, "small")
                await until(supervisor, lambda state: state.models["small"].phase == "stopping")
                children.may_spawn.set()
            with supervisor.ticket("small") as ticket:
                await ticket.wait_granted()
                children.may_go_on.set()
                await children.has_gone_on.wait()
                assert supervisor.status_of("small").pid == children.started[1].pid
