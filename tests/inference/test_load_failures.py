"""ENG-16: a port that was taken in between costs a try, and a file that is no model is named."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from inference.errors import ModelFailed, OutOfMemory
from inference.processes.children import PORTS_TRIED
from inference.runtimes.failures import Reason
from tests.fakes.children import FakeChildren
from tests.inference.engines import supervised

pytestmark = pytest.mark.anyio


async def test_a_port_that_was_taken_in_between_is_replaced_unseen(tmp_path: Path) -> None:
    children = FakeChildren()
    with anyio.fail_after(10):
        async with supervised(children, tmp_path) as supervisor:
            with supervisor.ticket("small") as ticket:
                (await children.wait_started(1)).fail("port_in_use", "couldn't bind HTTP server socket")
                (await children.wait_started(2)).load()
                await ticket.wait_granted()
            assert supervisor.status_of("small").error is None


async def test_ports_are_not_tried_for_ever(tmp_path: Path) -> None:
    children = FakeChildren()
    with anyio.fail_after(10):
        async with supervised(children, tmp_path) as supervisor:
            with supervisor.ticket("small") as ticket:
                for number in range(PORTS_TRIED):
                    (await children.wait_started(number + 1)).fail("port_in_use", "couldn't bind HTTP server socket")
                with pytest.raises(ModelFailed, match="its port was taken"):
                    await ticket.wait_granted()


@pytest.mark.parametrize(("reason", "setting"), [("bad_projector", r"models\.small\.mmproj"), ("bad_draft", r"models\.small\.draft")])
async def test_a_file_beside_the_models_own_that_cannot_be_loaded_is_the_one_that_is_named(
    tmp_path: Path, reason: Reason, setting: str
) -> None:
    children = FakeChildren()
    with anyio.fail_after(10):
        async with supervised(children, tmp_path) as supervisor:
            with supervisor.ticket("small") as ticket:
                (await children.wait_started(1)).fail(reason, "it is garbage")
                with pytest.raises(ModelFailed, match=rf"{setting}.*\n.*garbage") as failed:
                    await ticket.wait_granted()
    assert "could not be read as a model" not in failed.value.message


async def test_a_model_for_which_memory_did_not_suffice_is_told_with_what_takes_less(tmp_path: Path) -> None:
    children = FakeChildren()
    with anyio.fail_after(10):
        async with supervised(children, tmp_path) as supervisor:
            with supervisor.ticket("small") as ticket:
                (await children.wait_started(1)).fail("out_of_memory", "cudaMalloc failed: out of memory")
                with pytest.raises(OutOfMemory) as failed:
                    await ticket.wait_granted()
    less = "A smaller context, cache_type_k/v or n_gpu_layers takes less (models.small)"
    assert f"there was not enough memory (exit code 1). {less}. Its last lines" in failed.value.message


async def test_a_file_that_is_no_model_is_named(tmp_path: Path) -> None:
    children = FakeChildren()
    with anyio.fail_after(10):
        async with supervised(children, tmp_path) as supervisor:
            with supervisor.ticket("small") as ticket:
                (await children.wait_started(1)).fail("bad_model", "tensor data is not within the file bounds")
                with pytest.raises(ModelFailed, match=r"small\.gguf could not be read as a model.*\n.*file bounds"):
                    await ticket.wait_granted()
