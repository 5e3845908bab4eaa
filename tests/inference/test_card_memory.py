"""Real memory through the whole supervisor, on cards that are not there: awaited, measured, told, and enough for who fits."""

from __future__ import annotations

import logging
from pathlib import Path

import anyio
import pytest

from inference.cards.nvml import NvmlProbe
from inference.cards.returning import CardMemory
from tests.fakes.children import FakeChildren
from tests.fakes.nvml import FakeCardMemory, FakeNvml
from tests.inference.engines import supervised, until

pytestmark = pytest.mark.anyio
SHARES = {"small": {0: 8000}, "large": {0: 11000}}


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
