"""Real memory through the whole supervisor, on cards that are not there: awaited, measured, told, and enough for who fits."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest

from inference.cards.memory import MemoryBook
from inference.cards.nvml import NvmlProbe
from inference.cards.returning import CardMemory
from inference.catalog import build_catalog
from inference.errors import OutOfMemory
from inference.scheduling.residency import Limits, Memory
from inference.supervisor import Supervisor
from tests.fakes.children import FakeChildren
from tests.fakes.nvml import FakeCardMemory, FakeNvml
from tests.inference.engines import limited, settings, supervised, until

pytestmark = pytest.mark.anyio
SHARES = {"small": {0: 8000}, "large": {0: 11000}}
EAR_AND_MIND: Mapping[str, Any] = {
    "models": {"ear": {"path": "/models/ear.gguf", "kind": "asr"}, "mind": {"path": "/models/mind.gguf"}},
    "tiers": {"fast": "mind"},
    "virtual": {},
}
TWO_CARDS: Mapping[str, Any] = {
    "models": {
        "left": {"path": "/models/left.gguf", "gpus": [0], "estimate_mib": 4000},
        "right": {"path": "/models/right.gguf", "gpus": [1], "estimate_mib": 4000},
        "both": {"path": "/models/both.gguf", "gpus": [0, 1], "estimate_mib": 14000},
    },
    "tiers": {"fast": "left"},
    "virtual": {},
}


async def had(supervisor: Supervisor, *names: str) -> None:
    """One request after the other, each answered by its model."""
    for name in names:
        with supervisor.ticket(name) as ticket:
            await ticket.wait_granted()


def residents(supervisor: Supervisor) -> list[str]:
    return sorted(supervisor.loaded)


async def looked(nvml: FakeNvml, more: int = 3) -> None:
    """Until the cards have been looked at some times more."""
    wanted = nvml.looks + more
    while nvml.looks < wanted:  # noqa: ASYNC110 - it is looked at in threads
        await anyio.sleep(0.01)


async def test_a_load_waits_until_the_freed_memory_is_really_back(tmp_path: Path) -> None:
    nvml = FakeNvml(12288)
    nvml.gives_back_at_once = False
    children = FakeChildren(loads_at_once=True, memory=FakeCardMemory(nvml, SHARES))
    with anyio.fail_after(20):
        async with supervised(children, tmp_path, memory=CardMemory(look=NvmlProbe(nvml), bound_s=15)) as supervisor:
            with supervisor.ticket("small") as ticket:
                await ticket.wait_granted()
            with supervisor.ticket("large") as ticket:
                await until(supervisor, lambda state: state.models["small"].phase == "returning")
                await looked(nvml)
                assert children.started[0].is_over
                assert len(children.started) == 1
                assert supervisor.status_of("small").state == "stopping"
                nvml.settle()
                await ticket.wait_granted()
            assert [child.spec.name for child in children.started] == ["small", "large"]


async def test_a_process_that_died_is_waited_for_while_a_card_still_lists_it(tmp_path: Path) -> None:
    nvml = FakeNvml(12288)
    nvml.gives_back_at_once = False
    nvml.shows_leaving = True
    children = FakeChildren(loads_at_once=True, memory=FakeCardMemory(nvml, SHARES))
    with anyio.fail_after(20):
        async with supervised(children, tmp_path, memory=CardMemory(look=NvmlProbe(nvml), bound_s=15)) as supervisor:
            with supervisor.ticket("small") as ticket:
                await ticket.wait_granted()
            children.started[0].die("CUDA error: unspecified launch failure")
            await until(supervisor, lambda state: state.models["small"].phase == "returning")
            await looked(nvml)
            assert len(children.started) == 1
            nvml.settle()
            await children.wait_started(2)


async def test_memory_that_never_comes_back_is_said_and_not_waited_for_for_ever(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    nvml = FakeNvml(24576)
    nvml.gives_back_at_once = False
    children = FakeChildren(loads_at_once=True, memory=FakeCardMemory(nvml, SHARES))
    with anyio.fail_after(20):
        async with supervised(children, tmp_path, memory=CardMemory(look=NvmlProbe(nvml), bound_s=1)) as supervisor:
            for name in ("small", "large"):
                with supervisor.ticket(name) as ticket:
                    await ticket.wait_granted()
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert any("small ended" in text and "has not given back 7200 MiB on GPU 0" in text for text in said)


async def test_a_driver_that_is_lost_meanwhile_holds_nobody_up(tmp_path: Path) -> None:
    nvml = FakeNvml(12288)
    children = FakeChildren(loads_at_once=True, memory=FakeCardMemory(nvml, SHARES))
    with anyio.fail_after(20):
        async with supervised(children, tmp_path, memory=CardMemory(look=NvmlProbe(nvml), bound_s=15)) as supervisor:
            with supervisor.ticket("small") as ticket:
                await ticket.wait_granted()
                nvml.has_driver = False
            with supervisor.ticket("large") as ticket:
                await ticket.wait_granted()


async def test_a_model_that_is_larger_than_thought_gets_the_room_of_all_who_may_go(tmp_path: Path) -> None:
    nvml = FakeNvml(12288)
    children = FakeChildren(loads_at_once=True, memory=FakeCardMemory(nvml, {"ear": {0: 4000}, "mind": {0: 9000}}))
    thought = Memory({0: 11776}, {"ear": 4000, "mind": 5000})
    with anyio.fail_after(30):
        async with supervised(
            children, tmp_path, limited(memory=thought), memory=CardMemory(look=NvmlProbe(nvml)), models=EAR_AND_MIND
        ) as supervisor:
            await had(supervisor, "ear", "mind")
            assert [child.spec.name for child in children.started] == ["ear", "mind", "mind"]
            assert residents(supervisor) == ["mind"]


async def test_a_model_that_fits_nowhere_is_refused_with_what_it_wants_and_what_the_cards_have(tmp_path: Path) -> None:
    nvml = FakeNvml(12288)
    nvml.take(77, {0: 2000})
    children = FakeChildren(loads_at_once=True, memory=FakeCardMemory(nvml, {"ear": {0: 4000}, "mind": {0: 11000}}))
    thought = Memory({0: 11776}, {"ear": 4000, "mind": 7000})
    with anyio.fail_after(30):
        async with supervised(
            children, tmp_path, limited(memory=thought), memory=CardMemory(look=NvmlProbe(nvml)), models=EAR_AND_MIND
        ) as supervisor:
            await had(supervisor, "ear")
            with supervisor.ticket("mind") as ticket, pytest.raises(OutOfMemory) as refusal:
                await ticket.wait_granted()
            text = refusal.value.message
            assert "there was not enough memory (exit code 1). The cards say: GPU 0 has 10288 of 12288 MiB free." in text
            assert "allocating 11000.00 MiB on device 0: cudaMalloc failed: out of memory" in text
            assert "By reckoning it needs about 7000 MiB on GPU 0, of which 11776 of 11776 MiB were free." in text
            assert [child.spec.name for child in children.started] == ["ear", "mind", "mind"]


async def test_what_a_load_took_of_each_card_counts_from_then_on_and_after_a_restart(tmp_path: Path) -> None:
    nvml = FakeNvml(12288, 12288)
    look = NvmlProbe(nvml)
    specs = build_catalog(settings(**TWO_CARDS)).models
    children = FakeChildren(
        loads_at_once=True, memory=FakeCardMemory(nvml, {"left": {0: 5000}, "right": {1: 4000}, "both": {0: 4500, 1: 9500}})
    )
    book = MemoryBook(tmp_path / "memory.json", tmp_path)
    known = book.memory(specs, None, 512, look())
    assert known.gpus_mib == {0: 11776, 1: 11776}
    assert known.needs_mib == {"left": 4000, "right": 4000, "both": 14000}
    side_by_side = limited(memory=known, limits=Limits(max_llm=3))
    with anyio.fail_after(30):
        async with supervised(children, tmp_path, side_by_side, memory=CardMemory(book, look), models=TWO_CARDS) as supervisor:
            # By the estimate it lies evenly on both cards, and so beside both others.
            await had(supervisor, "both")
            await until(supervisor, lambda state: "both" in state.policy.memory.measured_mib)
            await had(supervisor, "left")
            assert residents(supervisor) == ["both", "left"]
            # Measured it leaves no room for this one.
            await had(supervisor, "right")
            await until(supervisor, lambda state: len(state.policy.memory.measured_mib) == 3)
            assert residents(supervisor) == ["left", "right"]
    again = MemoryBook(tmp_path / "memory.json", tmp_path).memory(specs, None, 512, look())
    assert again.measured_mib == {"both": {0: 4500, 1: 9500}, "left": {0: 5000}, "right": {1: 4000}}


async def test_what_a_load_took_is_never_called_too_much_afterwards(tmp_path: Path) -> None:
    nvml = FakeNvml(12288)
    children = FakeChildren(loads_at_once=True, memory=FakeCardMemory(nvml, {"small": {0: 12200}, "large": {0: 3000}}))
    book = MemoryBook(tmp_path / "memory.json", tmp_path)
    specs = build_catalog(settings()).models
    with anyio.fail_after(30):
        async with supervised(
            children, tmp_path, limited(memory=book.memory(specs, None, 512, NvmlProbe(nvml)())), memory=CardMemory(book, NvmlProbe(nvml))
        ) as supervisor:
            await had(supervisor, "small")
            await until(supervisor, lambda state: "small" in state.policy.memory.measured_mib)
            await had(supervisor, "large", "small")
