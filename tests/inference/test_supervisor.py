"""The supervisor over fake children: what clients experience while models come, go, fail and die."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from inference.errors import EngineStopping, ModelFailed, OutOfMemory, QueueFull, RequestEnded, UpstreamDied, WaitExpired
from inference.processes.child import Progress
from inference.scheduling.policy import Policy
from tests.fakes.children import FakeChildren
from tests.inference.engines import limited, supervised, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_request_gets_its_model_when_it_has_loaded(tmp_path: Path) -> None:
    children = FakeChildren(port=4711)
    with anyio.fail_after(5):
        async with supervised(children, tmp_path) as supervisor:
            with supervisor.ticket("small") as ticket:
                child = await children.wait_started(1)
                assert supervisor.loaded == ()
                child.load()
                await ticket.wait_granted()
                assert ticket.port == 4711
                assert supervisor.status_of("small").in_flight == 1
            await until(supervisor, lambda state: not state.models["small"].leases)


async def test_a_swap_stops_the_old_model_before_the_new_one_starts(tmp_path: Path) -> None:
    children = FakeChildren(loads_at_once=True)
    with anyio.fail_after(5):
        async with supervised(children, tmp_path) as supervisor:
            for name in ("small", "large", "small"):
                with supervisor.ticket(name) as ticket:
                    await ticket.wait_granted()
            assert [child.spec.name for child in children.started] == ["small", "large", "small"]
            assert [child.is_stopped for child in children.started] == [True, True, False]


async def test_a_slow_stop_does_not_hold_up_what_can_be_refused_at_once(tmp_path: Path) -> None:
    children = FakeChildren(loads_at_once=True)
    with anyio.fail_after(5):
        async with supervised(children, tmp_path) as supervisor:
            with supervisor.ticket("small") as ticket:
                await ticket.wait_granted()
                children.started[0].may_stop = anyio.Event()
            with supervisor.ticket("large") as patient:
                await until(supervisor, lambda state: state.models["small"].phase == "stopping")
                with supervisor.ticket("small", wait_s=0) as hasty, pytest.raises(WaitExpired):
                    await hasty.wait_granted()
                children.started[0].may_stop.set()
                await patient.wait_granted()


async def test_a_failed_load_tells_everyone_who_waits_with_the_childs_last_lines(tmp_path: Path) -> None:
    children = FakeChildren()
    with anyio.fail_after(5):
        async with supervised(children, tmp_path) as supervisor:
            with supervisor.ticket("small") as first, supervisor.ticket("small") as second:
                child = await children.wait_started(1)
                child.fail("out_of_memory", "loading", "cudaMalloc failed: out of memory")
                for ticket in (first, second):
                    with pytest.raises(OutOfMemory, match="cudaMalloc failed"):
                        await ticket.wait_granted()
            assert supervisor.status_of("small").state == "failed"


async def test_a_model_whose_program_is_missing_is_given_up_at_once(tmp_path: Path) -> None:
    children = FakeChildren()
    with anyio.fail_after(5):
        async with supervised(children, tmp_path) as supervisor:
            with supervisor.ticket("small") as ticket:
                (await children.wait_started(1)).fail("not_started", code=127)
                with pytest.raises(ModelFailed) as refusal:
                    await ticket.wait_granted()
            assert refusal.value.headers() == {"X-Should-Retry": "false"}


async def test_a_dead_child_is_told_to_its_request_and_started_again(tmp_path: Path) -> None:
    children = FakeChildren(loads_at_once=True)
    with anyio.fail_after(10):
        async with supervised(children, tmp_path) as supervisor:
            with supervisor.ticket("small") as ticket:
                await ticket.wait_granted()
                with ticket.scope() as scope:
                    children.started[0].die("GGML_ASSERT failed", code=134)
                    await anyio.sleep_forever()
                assert scope.cancelled_caught
                assert isinstance(ticket.verdict, UpstreamDied)
                assert "GGML_ASSERT failed" in ticket.verdict.message
            await children.wait_started(2)


async def test_a_forced_switch_cuts_running_requests_and_names_them(tmp_path: Path) -> None:
    children = FakeChildren(loads_at_once=True)
    with anyio.fail_after(5):
        async with supervised(children, tmp_path) as supervisor:
            with supervisor.ticket("small") as ticket:
                await ticket.wait_granted()
                with supervisor.ticket("large", takes_lease=False, is_forced=True) as forced:
                    with ticket.scope() as scope:
                        await anyio.sleep_forever()
                    assert scope.cancelled_caught
                    await forced.wait_granted()
                assert forced.ended == (ticket.id,)
                assert isinstance(ticket.verdict, RequestEnded)


async def test_a_load_that_nobody_waits_for_any_more_is_not_started(tmp_path: Path) -> None:
    children = FakeChildren(loads_at_once=True)
    with anyio.fail_after(5):
        async with supervised(children, tmp_path) as supervisor:
            with supervisor.ticket("small") as running:
                await running.wait_granted()
                with supervisor.ticket("large"):
                    await until(supervisor, lambda state: len(state.waiters) == 1)
            await until(supervisor, lambda state: not state.models["small"].leases)
            assert supervisor.loaded == ("small",)
            assert len(children.started) == 1


async def test_a_wanted_model_is_loaded_though_nobody_waits(tmp_path: Path) -> None:
    children = FakeChildren(loads_at_once=True)
    with anyio.fail_after(5):
        async with supervised(children, tmp_path) as supervisor:
            await supervisor.want("large")
            await until(supervisor, lambda state: state.models["large"].phase == "ready")


async def test_the_queue_is_bounded(tmp_path: Path) -> None:
    children = FakeChildren()
    with anyio.fail_after(5):
        async with supervised(children, tmp_path, limited(queue_limit=1)) as supervisor:
            with supervisor.ticket("small"), supervisor.ticket("small") as second:
                with pytest.raises(QueueFull) as refusal:
                    await second.wait_granted()
                assert refusal.value.headers() == {"Retry-After": "5"}


async def test_unloading_waits_for_the_running_request(tmp_path: Path) -> None:
    children = FakeChildren(loads_at_once=True)
    unloaded: list[str] = []
    with anyio.fail_after(5):
        async with supervised(children, tmp_path) as supervisor, anyio.create_task_group() as tasks:

            async def unload() -> None:
                unloaded.extend(await supervisor.unload(None))

            with supervisor.ticket("small") as ticket:
                await ticket.wait_granted()
                tasks.start_soon(unload)
                await until(supervisor, lambda state: state.models["small"].unload_by is not None)
                assert not children.started[0].is_stopped
            await until(supervisor, lambda state: state.models["small"].phase == "unloaded")
        assert unloaded == ["small"]


async def test_shutting_down_lets_the_running_request_finish_and_refuses_the_rest(tmp_path: Path) -> None:
    children = FakeChildren(loads_at_once=True)
    with anyio.fail_after(5):
        async with supervised(children, tmp_path) as supervisor, anyio.create_task_group() as tasks:
            with supervisor.ticket("small") as ticket:
                await ticket.wait_granted()
                tasks.start_soon(supervisor.shut_down)
                await until(supervisor, lambda state: state.stop_by is not None)
                with supervisor.ticket("small") as late, pytest.raises(EngineStopping):
                    await late.wait_granted()
                assert not children.started[0].is_stopped
        assert children.started[0].is_stopped


async def test_who_comes_when_all_have_stopped_is_told_so_and_does_not_hang(tmp_path: Path) -> None:
    children = FakeChildren(loads_at_once=True)
    with anyio.fail_after(30):
        async with supervised(children, tmp_path) as supervisor:
            await supervisor.shut_down()
            with supervisor.ticket("small") as late, pytest.raises(EngineStopping):
                await late.wait_granted()
            assert isinstance((await supervisor.want("small")).verdict, EngineStopping)
            await supervisor.reconfigure(supervisor.catalog, Policy(supervisor.catalog.models), frozenset())
            assert await supervisor.unload("gone") == ()
            with supervisor.hub.listen() as listener, pytest.raises(anyio.EndOfStream):
                await listener.next(10)


async def test_swaps_are_announced_phase_by_phase_with_what_the_child_reports(tmp_path: Path) -> None:
    children = FakeChildren()
    seen: list[tuple[str, str, float | None]] = []
    with anyio.fail_after(5):
        async with supervised(children, tmp_path) as supervisor:
            with supervisor.hub.listen() as listener, supervisor.ticket("small") as ticket:
                child = await children.wait_started(1)
                child.report(Progress("loading", 40.0))
                child.report(Progress("loading", 40.2))
                child.load()
                await ticket.wait_granted()
                while not seen or seen[-1][1] != "ready":
                    progress = await listener.next(1)
                    assert progress is not None
                    seen.append((progress.model, progress.phase, progress.percent))
    assert [phase for _, phase, _ in seen][-1] == "ready"
    assert ("small", "loading", 40.0) in seen
    assert ("small", "loading", 40.2) not in seen


async def test_the_expected_time_comes_from_the_last_loads_also_after_a_restart(tmp_path: Path) -> None:
    with anyio.fail_after(5):
        for is_known in (False, True):
            children = FakeChildren(loads_at_once=True)
            async with supervised(children, tmp_path) as supervisor:
                assert (supervisor.progress("small").expected_s is not None) == is_known
                with supervisor.ticket("small") as ticket:
                    await ticket.wait_granted()
                while not (tmp_path / "times.json").exists():
                    await anyio.lowlevel.checkpoint()
