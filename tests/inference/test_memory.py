"""What models take of memory: from the file and the flags, then from what a load has said, kept across restarts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.estimate import MIB, OVERHEAD_MIB, estimate_mib
from inference.memory import MemoryBook
from inference.runtimes.buffer_lines import gpu_mib
from inference.runtimes.gguf_header import PREFIX_BYTES, read_keys
from tests.fakes.tiny_gguf import write_tiny_gguf
from tests.inference.test_scheduler_rules import spec

LINES = (
    "load_tensors: offloaded 33/33 layers to GPU",
    "load_tensors:        CUDA0 model buffer size =  4155.99 MiB",
    "load_tensors:   CPU_Mapped model buffer size =   281.81 MiB",
    "llama_kv_cache:      CUDA0 KV buffer size =   512.00 MiB",
    "llama_context:      CUDA0 compute buffer size =   258.50 MiB",
    "llama_context:  CUDA_Host compute buffer size =     9.01 MiB",
)
KEYS = {
    "general.architecture": "llama",
    "llama.block_count": 32,
    "llama.attention.head_count": 32,
    "llama.attention.head_count_kv": 8,
    "llama.embedding_length": 4096,
}


def test_a_real_files_head_tells_the_models_shape(tmp_path: Path) -> None:
    keys = read_keys(write_tiny_gguf(tmp_path / "tiny.gguf").read_bytes()[:PREFIX_BYTES])
    assert (keys["general.architecture"], keys["llama.block_count"], keys["llama.attention.head_count_kv"]) == ("llama", 1, 2)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 60))
def test_no_bytes_break_the_reader(noise: bytes, cut: int) -> None:
    head = b"GGUF" + (3).to_bytes(4, "little") + bytes(8) + (9).to_bytes(8, "little")
    read_keys(noise)
    read_keys(head[:cut] + noise)


def test_the_cache_counts_for_every_slot_and_by_its_type() -> None:
    model = replace(spec("m", 2), context=8192, n_gpu_layers=999)
    assert estimate_mib(model, 4000 * MIB, KEYS) == 4000 + 2 * 1024 + OVERHEAD_MIB
    small = replace(model, cache_type_k="q8_0", cache_type_v="q8_0")
    assert estimate_mib(small, 4000 * MIB, KEYS) == 4000 + 1088 + OVERHEAD_MIB
    assert estimate_mib(replace(model, estimate_mib=77), 4000 * MIB, KEYS) == 77
    assert estimate_mib(replace(model, n_gpu_layers=0), 4000 * MIB, KEYS) == 0
    assert estimate_mib(replace(model, n_cpu_moe=20), 4000 * MIB, KEYS) is None
    assert estimate_mib(model, 4000 * MIB, {}) == 4000 + OVERHEAD_MIB


@pytest.mark.parametrize(
    ("lines", "mib"),
    [(LINES, 4927), ((*LINES, "srv load_model: loading model 'x'", LINES[2]), 0), (("nothing of buffers",), None)],
)
def test_the_last_loads_buffers_on_gpus_are_summed(lines: tuple[str, ...], mib: int | None) -> None:
    assert gpu_mib(lines) == mib


def test_a_measurement_corrects_the_estimate_and_outlives_a_restart(tmp_path: Path) -> None:
    file = write_tiny_gguf(tmp_path / "tiny.gguf")
    model = replace(spec("m"), path=file, n_gpu_layers=999)
    place = tmp_path / "memory.json"
    book = MemoryBook(place, tmp_path)
    before = book.memory({"m": model}, total_mib=12000, margin_mib=512)
    assert before.gpus_mib == {0: 11488}
    assert OVERHEAD_MIB < before.needs_mib["m"] < 2 * OVERHEAD_MIB
    assert book.learn(model, {}) is None
    (tmp_path / "model-m.log").write_text("\n".join(LINES))
    assert book.learn(model, {}) == 4927
    again = MemoryBook(place, tmp_path)
    assert again.memory({"m": model}, 12000, 512).measured_mib == {"m": 4927}
    assert again.memory({"m": replace(model, context=9000)}, 12000, 512).measured_mib == {}
    assert again.memory({"m": replace(model, program="/opt/llama-server")}, 12000, 512).measured_mib == {}
    assert again.memory({"m": model}, None, 512).needs_mib == {}
    place.write_text("{[")
    assert MemoryBook(place, tmp_path).memory({"m": model}, 12000, 512).needs_mib == before.needs_mib


def test_a_model_that_the_runtime_fits_in_itself_is_never_called_too_large(tmp_path: Path) -> None:
    file = tmp_path / "big.gguf"
    with file.open("wb") as sparse:
        sparse.truncate(3000 * MIB)
    book = MemoryBook(tmp_path / "memory.json", tmp_path)
    assert book.memory({"m": replace(spec("m"), path=file)}, 1000, 0).needs_mib == {"m": 1000}
    assert book.memory({"m": replace(spec("m"), path=file, n_gpu_layers=999)}, 1000, 0).needs_mib == {"m": 3000 + OVERHEAD_MIB}


def test_a_model_in_several_files_needs_what_all_of_them_hold(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        with (tmp_path / f"big-0000{number}-of-00003.gguf").open("wb") as sparse:
            sparse.truncate(1000 * MIB)
    book = MemoryBook(tmp_path / "memory.json", tmp_path)
    model = replace(spec("m"), path=tmp_path / "big-00001-of-00003.gguf", n_gpu_layers=999)
    assert book.memory({"m": model}, 9000, 0).needs_mib == {"m": 3000 + OVERHEAD_MIB}


def test_a_model_whose_file_no_disk_can_have_needs_what_the_person_says(tmp_path: Path) -> None:
    book = MemoryBook(tmp_path / "memory.json", tmp_path)
    assert book.memory({"m": replace(spec("m"), path=Path("a\0b.gguf"), estimate_mib=5)}, 9000, 0).needs_mib == {"m": 5}
