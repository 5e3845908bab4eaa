"""A program of one's own that puts nothing on a card though its model asks for one: said, and never taken for a measurement."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from inference.cards.card import Card
from inference.cards.memory import MemoryBook
from inference.cards.returning import CardMemory
from inference.catalog import BUILTIN_FILE, build_catalog
from inference.identity import identity
from inference.scheduling.residency import Memory
from tests.fakes.children import FakeChildren
from tests.fakes.tiny_gguf import write_tiny_gguf
from tests.inference.engines import settings, supervised
from tests.inference.test_card_memory import had
from tests.inference.test_scheduler_rules import spec

CARD = Card(0, "a card", "GPU-0", 24576, 24000)
IN_MAIN_MEMORY = """warning: no usable GPU found, --gpu-layers option will be ignored
srv  load_model: loading model 'm'
load_tensors: loading model tensors, this can take a while... (mmap = true)
load_tensors:   CPU_Mapped model buffer size = 15526.27 MiB
llama_kv_cache:        CPU KV buffer size =   448.00 MiB
"""
ON_CARD = IN_MAIN_MEMORY.replace("CPU_Mapped", "CUDA0")


def measured(book: MemoryBook, model: Any) -> object:
    return book.memory({"m": model}, None, 512, (CARD,)).measured_mib.get("m")


def test_a_model_that_asks_for_a_card_and_got_none_says_so_and_is_planned_as_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asking = replace(spec("m"), path=write_tiny_gguf(tmp_path / "m.gguf"), n_gpu_layers=999)
    place, log = tmp_path / "memory.json", tmp_path / "model-m.log"
    book = MemoryBook(place, tmp_path)
    log.write_text(ON_CARD)
    assert measured(book, asking) is None
    assert book.learn(asking, {}) == 15527
    assert book.vain(asking) is None
    log.write_text(IN_MAIN_MEMORY)
    with caplog.at_level(logging.WARNING):
        assert [book.learn(asking, {}) for _ in range(2)] == [None, None]
    said = book.vain(asking) or ""
    assert said.startswith("n_gpu_layers in vain: its llama-server has put nothing on a graphics card: it is built without them, or")
    assert "variet engine logs m" in said
    assert [record.getMessage() for record in caplog.records] == [f"models.m: {said}"]
    # It holds nothing that its end could give back; at its next load what it took when its program could use the card counts again.
    assert set(book.shares_mib(asking).values()) == {0}
    assert measured(MemoryBook(place, tmp_path), asking) == 15527
    # Another command was not seen yet, and one that is right says nothing.
    assert book.vain(replace(asking, context=9000)) is None
    assert book.learn(asking, {0: 16000}) == {0: 16000}
    assert book.vain(asking) is None
    named = replace(asking, program="/opt/llama-server")
    book.learn(named, {})
    assert "/opt/llama-server has put nothing" in (book.vain(named) or "")
    # The card that it may see is perhaps not there.
    placed = replace(asking, gpus=(7,))
    book.learn(placed, {})
    assert "n_gpu_layers and gpus in vain" in (book.vain(placed) or "")
    assert "or there is none of those in gpus" in (book.vain(placed) or "")


def test_nothing_that_earlier_versions_kept_of_such_a_load_counts(tmp_path: Path) -> None:
    asking = replace(spec("m"), path=write_tiny_gguf(tmp_path / "m.gguf"), n_gpu_layers=999)
    (tmp_path / "memory.json").write_text(json.dumps({"m": [identity(asking), 0]}))
    assert measured(MemoryBook(tmp_path / "memory.json", tmp_path), asking) is None


def test_who_wants_no_card_is_told_nothing(tmp_path: Path) -> None:
    plain = replace(spec("m"), path=write_tiny_gguf(tmp_path / "m.gguf"))
    (tmp_path / "model-m.log").write_text(IN_MAIN_MEMORY)
    for cards, changes, has_word in (
        ((CARD,), {"gpus": ()}, False),
        ((CARD,), {"n_gpu_layers": 0}, False),
        ((CARD,), {"n_gpu_layers": 0, "gpus": (0,)}, False),
        ((CARD,), {"path": BUILTIN_FILE}, False),
        ((CARD,), {"extra_args": ("--device", "none")}, False),
        ((CARD,), {"n_gpu_layers": 999, "extra_args": ("--rpc", "192.168.1.9:50052")}, False),
        ((), {}, False),
        ((CARD,), {}, True),
    ):
        book = MemoryBook(tmp_path / f"{len(list(tmp_path.iterdir()))}.json", tmp_path)
        book.memory({}, None, 512, cards)
        model = replace(plain, **changes)  # pyright: ignore[reportArgumentType]
        assert (book.learn(model, {}), book.vain(model) is not None) == (0, has_word), changes
    assert "n_gpu_layers = 0 says that this is as it should be" in (book.vain(model) or "")


@pytest.mark.anyio
async def test_the_status_says_it(tmp_path: Path) -> None:
    models: dict[str, Any] = {"models": {"m": {"path": "/models/m.gguf", "n_gpu_layers": 999}}, "tiers": {"fast": "m"}, "virtual": {}}
    (tmp_path / "model-m.log").write_text(IN_MAIN_MEMORY)
    book = MemoryBook(tmp_path / "memory.json", tmp_path)
    children = FakeChildren(loads_at_once=True)
    assert build_catalog(settings(**models)).models["m"].warning is None
    with anyio.fail_after(10):
        async with supervised(children, tmp_path, memory=CardMemory(book, lambda: (CARD,)), models=models) as supervisor:
            assert supervisor.status_of("m").warning is None
            await had(supervisor, "m")
            while supervisor.status_of("m").warning is None:  # noqa: ASYNC110 - it is measured in a thread
                await anyio.sleep(0.01)
            assert "n_gpu_layers in vain" in (supervisor.status_of("m").warning or "")
            assert supervisor.status_of("m").gpu_mib is None
    assert book.memory({}, None, 512) == Memory()
