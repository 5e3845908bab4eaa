"""A packaged server that can use no card takes nothing of one, and says so to whoever asks it for that."""

from __future__ import annotations

import logging
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from config.schema import EngineSettings
from inference.cards.card import Card, no_cards
from inference.cards.memory import MemoryBook
from inference.catalog import ModelSpec
from inference.commands.ask import _status_text  # pyright: ignore[reportPrivateUsage]
from inference.contract import EngineStatus
from inference.processes import packaged
from inference.processes.packaged import found_catalog, knows_no_card
from inference.runtimes.llama_server import Program, embedded_program
from inference.scheduling.policy import Policy
from inference.scheduling.residency import Fits, Impossible, plan, shares_gpu
from inference.scheduling.schedule import initial
from inference.views import NO_FACTS, model_status
from tests.fakes.tiny_gguf import write_tiny_gguf

CARD = Card(0, "a card", "GPU-0", 12288, 12000)
LARGE_BYTES = 20 * 2**30


def _models(folder: Path) -> EngineSettings:
    large = write_tiny_gguf(folder / "large.gguf")
    with large.open("r+b") as file:
        file.truncate(LARGE_BYTES)
    models = {"large": {"path": str(large), "n_gpu_layers": 999, "gpus": [0]}, "plain": {"path": str(large), "slots": 2}}
    return EngineSettings.model_validate({"models": models, "tiers": {"fast": "large"}})


def _runs(program: Program, *, on_processor: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def find(_: str | None) -> Program:
        return program

    def missing(_: str | None) -> dict[str, str]:
        return {}

    def knows(_: Path) -> bool:
        return on_processor

    monkeypatch.setattr(packaged, "find_llama_server", find)
    monkeypatch.setattr(packaged, "missing_runtimes", missing)
    monkeypatch.setattr(packaged, "knows_no_card", knows)


def _planned(specs: dict[str, ModelSpec], folder: Path) -> tuple[object, object]:
    memory = MemoryBook(folder / "memory.json", folder).memory(specs, None, 512, (CARD,))
    return plan(specs, (), "large", memory), memory.needs_mib


def test_a_large_file_is_refused_for_a_card_only_where_the_program_can_use_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings = _models(tmp_path)
    _runs(embedded_program(sys.executable), on_processor=True, monkeypatch=monkeypatch)
    with caplog.at_level(logging.WARNING):
        specs = dict(found_catalog(settings, lambda: (CARD,)).models)
    planned, needs_mib = _planned(specs, tmp_path)
    assert isinstance(planned, Fits)
    assert needs_mib == {"large": 0, "plain": 0}
    assert not shares_gpu(specs["large"], specs["plain"])
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["models.large"]
    told = model_status(initial(Policy(specs)), "large", (), NO_FACTS)
    assert (told.obstacle, told.gpu_mib) == (None, 0)
    assert "n_gpu_layers and gpus in vain: the packaged llama.cpp server runs on the processor" in (told.warning or "")
    assert "runtimes.llama-server.binary" in _status_text(EngineStatus(version="9", models=(told,)))
    assert model_status(initial(Policy(specs)), "plain", (), NO_FACTS).warning is None
    for program, on_processor in ((embedded_program(sys.executable), False), (Program(("llama-server",), is_embedded=False), True)):
        _runs(program, on_processor=on_processor, monkeypatch=monkeypatch)
        specs = dict(found_catalog(settings, lambda: (CARD,)).models)
        assert isinstance(_planned(specs, tmp_path)[0], Impossible)
        assert specs["large"].warning is None


def test_what_was_measured_on_a_card_is_kept_for_the_program_that_can_use_it(tmp_path: Path) -> None:
    spec = ModelSpec("large", "llama-server", tmp_path / "large.gguf", context=256, slots=1, admitted=1)
    book = MemoryBook(tmp_path / "memory.json", tmp_path)
    book.learn(spec, {0: 4000})
    on_processor = replace(spec, is_on_processor=True)
    assert book.learn(on_processor, {}) is None
    assert book.memory({"large": on_processor}, None, 512, (CARD,)).measured_mib == {}
    assert book.memory({"large": spec}, None, 512, (CARD,)).measured_mib == {"large": {0: 4000}}


def test_the_wheel_is_looked_into_only_where_that_decides_something(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Path] = []
    _runs(embedded_program(sys.executable), on_processor=True, monkeypatch=monkeypatch)

    def knows(folder: Path) -> bool:
        looked.append(folder)
        return True

    monkeypatch.setattr(packaged, "knows_no_card", knows)
    assert not found_catalog(EngineSettings(), no_cards).models["nano"].is_on_processor
    assert looked == []
    assert found_catalog(EngineSettings(), lambda: (CARD,)).models["nano"].is_on_processor
    assert found_catalog(_models(tmp_path), no_cards).models["plain"].is_on_processor
    assert len(looked) == 2


def test_what_a_library_registers_is_read_from_its_names(tmp_path: Path) -> None:
    library = tmp_path / "xllamacpp.abi3.so"
    assert not knows_no_card(tmp_path), "nobody knows"
    shutil.copy(__file__, tmp_path / "memory.py")
    library.write_bytes(b"\0ggml_backend_reg_count\0ggml_backend_dev_backend_reg\0ggml_backend_cpu_reg\0ggml_backend_")
    assert knows_no_card(tmp_path)
    library.write_bytes(library.read_bytes() + b"ggml_backend_vk_reg\0")
    assert not knows_no_card(tmp_path)
    library.write_bytes(b"stripped of all names")
    assert not knows_no_card(tmp_path), "nobody knows"


def test_the_locked_wheel_knows_the_processor_alone() -> None:
    assert packaged._is_without_gpu(None) or shutil.which("llama-server")  # pyright: ignore[reportPrivateUsage]
