"""An optional yield: a program that takes a card's memory gets it, models come back when it has gone, and nothing flaps in between."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import anyio
import pytest

from inference.cards.card import Card
from inference.cards.lender import Lender
from inference.cards.lending import Lending, judge, taken_by_others
from inference.cards.memory import MemoryBook
from inference.cards.nvml import NvmlProbe
from inference.cards.returning import CardMemory
from inference.catalog import build_catalog
from inference.errors import OutOfMemory
from inference.scheduling.policy import Policy
from inference.scheduling.residency import Blocked, Fits, Memory, plan
from inference.supervisor import Supervisor
from tests.fakes.children import FakeChildren
from tests.fakes.nvml import FakeCardMemory, FakeNvml
from tests.inference.engines import limited, settings, supervised, until
from tests.inference.test_card_memory import TWO_CARDS, had
from tests.inference.test_scheduler_rules import spec

GAME = 77
YIELD_MIB = 1000


def lent_after(looks: Sequence[tuple[float, int]]) -> list[bool]:
    """Whose the card is after each look, of (time, what others take)."""
    found: list[bool] = []
    lending = Lending()
    for now, others_mib in looks:
        lending = judge(lending, others_mib, YIELD_MIB, now)
        found.append(lending.is_lent)
    return found


def test_a_program_is_believed_when_it_stays_and_when_it_stays_away() -> None:
    assert lent_after([(0, 1001), (1, 5000), (2, 1001), (3, 1001)]) == [False, False, True, True]
    assert lent_after([(0, 5000), (1, 900), (2, 5000), (3, 5000), (4, 5000)]) == [False, False, False, False, True]
    lent = [(0.0, 5000), (2.0, 5000)]
    assert lent_after([*lent, (3, 700), (9, 700), (13, 700)])[2:] == [True, True, False]
    # At the bound it neither comes nor goes.
    assert all(lent_after([*lent, *((float(at), 900) for at in range(3, 60))])[1:])
    assert not any(lent_after([(float(at), 1000) for at in range(60)]))
    # Between two levels of a game its memory is free for a moment.
    assert all(lent_after([*lent, (3, 0), (8, 0), (9, 4000), (14, 0), (19, 0)])[1:])


@pytest.mark.parametrize(
    ("card", "known_mib", "others_mib"),
    [
        (Card(0, "", "", 12000, 1000, {7: 8000, GAME: 2500}), 7500, 2500),
        (Card(0, "", "", 12000, 9000, {GAME: 2500}), 0, 2500),
        # It lists processes, but ours under another number: a container.
        (Card(0, "", "", 12000, 1000, {4711: 8000, GAME: 2500}), 8000, 3000),
        # It lists none: Windows.
        (Card(0, "", "", 12000, 1000), 8000, 3000),
        (Card(0, "", "", 12000, 11900), 8000, 0),
    ],
)
def test_what_others_take_is_told_apart_from_ours(card: Card, known_mib: int, others_mib: int) -> None:
    assert taken_by_others(card, [7, 8], known_mib) == others_mib


def test_a_lent_card_takes_no_model_whatever_is_free_and_the_others_go_on() -> None:
    specs = {"left": replace(spec("left"), gpus=(0,)), "right": replace(spec("right"), gpus=(1,)), "any": spec("any")}
    specs["processor"] = replace(spec("processor"), n_gpu_layers=0)
    memory = Memory({0: 12000, 1: 12000}, dict.fromkeys(specs, 1), lent_mib={0: 3000})
    for name in ("left", "any"):
        found = plan(specs, [], name, memory)
        assert isinstance(found, Blocked)
        assert "another program has taken 3000 MiB on GPU 0" in found.why
    for name in ("right", "processor"):
        assert isinstance(plan(specs, [], name, memory), Fits)
    # What was measured says more than what the settings leave open.
    for taken in (0, {1: 5000}, {0: 0}):
        assert isinstance(plan(specs, [], "any", replace(memory, measured_mib={"any": taken})), Fits)
    assert isinstance(plan(specs, [], "any", replace(memory, measured_mib={"any": {0: 10, 1: 10}})), Blocked)


@dataclass
class Machine:
    nvml: FakeNvml
    supervisor: Supervisor
    lender: Lender


@asynccontextmanager
async def machine(folder: Path, *, tells_processes: bool = True) -> AsyncIterator[Machine]:
    """Two cards with a model on each."""
    nvml = FakeNvml(12288, 12288)
    nvml.tells_processes = tells_processes
    look = NvmlProbe(nvml)
    specs = build_catalog(settings(**TWO_CARDS)).models
    book = MemoryBook(folder / "memory.json", folder)
    change = limited(memory=book.memory(specs, None, 512, look()))
    for name in ("left", "right"):
        (folder / f"model-{name}.log").write_text("load_tensors:  CUDA0 model buffer size =  5000.00 MiB\n", encoding="utf-8")
    children = FakeChildren(loads_at_once=True, memory=FakeCardMemory(nvml, {"left": {0: 5000}, "right": {1: 5000}}))
    with anyio.fail_after(30):
        memory = CardMemory(book, look)
        async with supervised(children, folder, change, memory=memory, models=TWO_CARDS) as supervisor:
            yield Machine(nvml, supervisor, Lender(supervisor, memory, YIELD_MIB, drain_s=20))


async def measured(on: Supervisor, name: str) -> None:
    await until(on, lambda state: name in state.policy.memory.measured_mib)


@pytest.mark.anyio
@pytest.mark.parametrize("tells_processes", [True, False])
async def test_a_game_gets_the_card_after_the_streams_end_and_the_model_comes_back_when_asked(
    tmp_path: Path, tells_processes: bool
) -> None:
    async with machine(tmp_path, tells_processes=tells_processes) as on, anyio.create_task_group() as tasks:
        await had(on.supervisor, "left")
        await measured(on.supervisor, "left")
        on.nvml.take(GAME, {0: 4000})
        with on.supervisor.ticket("left") as running:
            await running.wait_granted()
            await on.lender.look(0)
            assert on.supervisor.loaded == ("left",)
            tasks.start_soon(on.lender.look, 3)
            await until(on.supervisor, lambda state: state.models["left"].unload_by is not None)
            assert on.supervisor.status_of("left").in_flight == 1
            assert running.verdict is None
        await until(on.supervisor, lambda state: state.models["left"].phase == "unloaded")
        with on.supervisor.ticket("left") as ticket, pytest.raises(OutOfMemory) as refusal:
            await ticket.wait_granted()
        assert "another program has taken 4000 MiB on GPU 0" in refusal.value.message
        assert "X-Should-Retry" not in refusal.value.headers()
        status = on.supervisor.status("")
        assert status.lent_mib == {0: 4000}
        assert [each.name for each in status.models if "taken 4000 MiB on GPU 0" in (each.obstacle or "")] == ["left", "both"]
        # While the driver says nothing the card stays lent, however long that lasts.
        on.nvml.has_driver = False
        for now in (3.1, 30):
            await on.lender.look(now)
        on.nvml.has_driver = True
        with on.supervisor.ticket("left") as ticket, pytest.raises(OutOfMemory):
            await ticket.wait_granted()
        # The other card's model is not touched.
        await had(on.supervisor, "right")
        await measured(on.supervisor, "right")
        await on.lender.look(31)
        assert on.supervisor.loaded == ("right",)
        on.nvml.leave(GAME)
        for now in (32, 43):
            await on.lender.look(now)
        await had(on.supervisor, "left")
        assert on.supervisor.loaded == ("left",)
        assert on.supervisor.status("").lent_mib == {}


@pytest.mark.anyio
async def test_a_program_that_lets_go_within_the_drain_costs_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("lending.TAKEN_FOR_S", 0), ("lending.FREED_FOR_S", 0), ("lender.LOOK_EVERY_S", 0.01)):
        monkeypatch.setattr(f"inference.cards.{name}", seconds)
    async with machine(tmp_path) as on, anyio.create_task_group() as tasks:
        await had(on.supervisor, "left")
        await measured(on.supervisor, "left")
        tasks.start_soon(on.lender.run)
        with on.supervisor.ticket("left") as running:
            await running.wait_granted()
            for _ in range(2):
                on.nvml.take(GAME, {0: 4000})
                await until(on.supervisor, lambda state: state.models["left"].unload_by is not None)
                on.nvml.leave(GAME)
                await until(on.supervisor, lambda state: state.models["left"].unload_by is None)
            on.nvml.take(GAME, {0: 4000})
            await until(on.supervisor, lambda state: state.models["left"].unload_by is not None)
        await until(on.supervisor, lambda state: state.models["left"].phase == "unloaded")
        assert on.supervisor.status_of("left").loads == 1
        tasks.cancel_scope.cancel()


@pytest.mark.anyio
async def test_a_model_that_a_reload_has_removed_is_no_stranger_while_it_answers(tmp_path: Path) -> None:
    async with machine(tmp_path, tells_processes=False) as on:
        await had(on.supervisor, "left")
        await measured(on.supervisor, "left")
        others = build_catalog(settings(**{**TWO_CARDS, "models": {"right": TWO_CARDS["models"]["right"]}, "tiers": {"fast": "right"}}))
        with on.supervisor.ticket("left") as running:
            await running.wait_granted()
            await on.supervisor.reconfigure(others, Policy(others.models), frozenset())
            for now in (0, 3):
                await on.lender.look(now)
            assert on.supervisor.status("").lent_mib == {}


@pytest.mark.anyio
async def test_a_load_under_way_is_not_taken_for_a_stranger(tmp_path: Path) -> None:
    async with machine(tmp_path, tells_processes=False) as on:
        await had(on.supervisor, "left")
        await measured(on.supervisor, "left")
        on.nvml.take(GAME, {0: 4000})
        await on.lender.look(0)
        on.nvml.gives_back_at_once = False
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(had, on.supervisor, "right")
            await until(on.supervisor, lambda state: state.models["left"].phase == "returning")
            await on.lender.look(3)
            assert on.supervisor.loaded == ()
            on.nvml.settle()
        # The look before counts no more: what was seen must be seen without a break.
        await measured(on.supervisor, "right")
        await on.lender.look(4)
        on.nvml.leave(GAME)
        on.nvml.settle()
        await on.lender.look(7)
        await had(on.supervisor, "left")


@pytest.mark.anyio
async def test_without_a_card_the_watch_ends_with_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with supervised(FakeChildren(), tmp_path) as supervisor:
        with anyio.fail_after(5):
            await Lender(supervisor, CardMemory(), YIELD_MIB, drain_s=20).run()
    assert "models make way for nobody" in caplog.text
