"""What models take of memory: from the file and the flags, then from what a load has said, kept across restarts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from inference.cards.estimate import MIB, OVERHEAD_MIB, estimate_mib
from inference.cards.memory import MemoryBook
from inference.identity import identity
from inference.runtimes.buffer_lines import gpu_mib
from inference.runtimes.gguf_header import PREFIX_BYTES, Value, read_keys
from inference.scheduling.residency import Fits, Impossible, plan
from tests.fakes.gguf_file import gguf, number_key, text_key
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
WEIGHTS = "load_tensors: loading model tensors, this can take a while... (load_mode = mmap)"
DRAFT = ("srv    load_model: loading draft model 'd'", WEIGHTS, "load_tensors:        CUDA0 model buffer size =   600.00 MiB")
GEMMA = {
    "general.architecture": "gemma3",
    "gemma3.block_count": 62,
    "gemma3.attention.head_count": 32,
    "gemma3.attention.head_count_kv": 16,
    "gemma3.attention.key_length": 128,
    "gemma3.attention.value_length": 128,
    "gemma3.embedding_length": 5376,
    "gemma3.attention.sliding_window": 1024,
}
QWEN = {
    "general.architecture": "qwen35",
    "qwen35.block_count": 64,
    "qwen35.attention.head_count": 24,
    "qwen35.attention.head_count_kv": 4,
    "qwen35.attention.key_length": 256,
    "qwen35.attention.value_length": 256,
    "qwen35.embedding_length": 5120,
    "qwen35.full_attention_interval": 4,
}
ONE_HEAD = {"block_count": 4, "attention.head_count": 1, "attention.head_count_kv": 1, "attention.key_length": 512, "embedding_length": 512}
"""Of each of four layers, f16 keys and values of 1024 tokens take 2 MiB."""
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
    [
        (LINES, 4927),
        ((*LINES, "srv load_model: loading model 'x'", LINES[2]), 0),
        (("nothing of buffers",), None),
        ((*LINES, *DRAFT), 5527),
        ((*LINES, *DRAFT, "srv load_model: loading model 'x'", LINES[1]), 4156),
        # A runtime that tries out what would fit says the same lines more than once.
        (("srv load_model: loading model 'x'", WEIGHTS, *LINES, WEIGHTS, *LINES, DRAFT[0], *DRAFT[1:], *DRAFT[1:]), 5527),
        (("srv load_model: loading model 'x'", "common_speculative_init_result: loading draft model 'd'"), None),
    ],
)
def test_the_last_loads_buffers_on_gpus_are_summed(lines: tuple[str, ...], mib: int | None) -> None:
    assert gpu_mib(lines) == mib


def cache_mib(told: dict[str, Value], architecture: str = "any", **changes: object) -> int:
    keys: dict[str, Value] = {f"{architecture}.{key}": value for key, value in (ONE_HEAD | {"attention.value_length": 512} | told).items()}
    keys["general.architecture"] = architecture
    found = estimate_mib(replace(spec("m", 1), context=8192, n_gpu_layers=999, **changes), 0, keys)  # pyright: ignore[reportArgumentType]
    assert found is not None
    return found - OVERHEAD_MIB


def test_a_cache_is_reckoned_layer_by_layer() -> None:
    assert cache_mib({}) == 4 * 16
    assert cache_mib({}, slots=2) == 4 * 32
    assert cache_mib({}, extra_args=("--no-kv-offload",)) == 0
    # Windows: listed by layer, every so many layers, or as the architecture has it; a window alone says nothing.
    window: dict[str, Value] = {"attention.sliding_window": 1536}
    assert cache_mib(window) == 4 * 16
    assert cache_mib(window | {"attention.sliding_window_pattern": (True, True, True, False)}) == 3 * 4 + 16
    assert cache_mib(window | {"attention.sliding_window_pattern": 4}) == 3 * 4 + 16
    assert cache_mib(window, architecture="gpt-oss") == 2 * 4 + 2 * 16
    assert cache_mib(window, architecture="gpt-oss", slots=2) == 2 * 8 + 2 * 32
    assert cache_mib(window, architecture="gpt-oss", extra_args=("--swa-full",)) == 4 * 16
    assert cache_mib(window, architecture="gpt-oss", extra_args=("-ub", "2560")) == 2 * 8 + 2 * 16
    assert cache_mib(window | {"attention.sliding_window": 100000}, architecture="gpt-oss") == 4 * 16
    narrow = window | {"attention.key_length_swa": 256, "attention.value_length_swa": 256}
    assert cache_mib(narrow, architecture="gpt-oss") == 2 * 2 + 2 * 16
    # The last layers use the caches of others; heads by layer.
    assert cache_mib({"attention.shared_kv_layers": 3}) == 16
    assert cache_mib({"attention.head_count_kv": (0, 2, 0, 1)}) == 48
    # States instead of caches.
    state: dict[str, Value] = {"ssm.inner_size": 2048, "ssm.state_size": 128, "ssm.conv_kernel": 1}
    assert cache_mib(state | {"full_attention_interval": 4}) == 3 + 16
    assert cache_mib(state | {"full_attention_interval": 4}, slots=2) == 6 + 32
    assert cache_mib(state, architecture="qwen3next") == 3 + 16
    assert cache_mib(state | {"nextn_predict_layers": 1, "full_attention_interval": 3}) == 2 + 2 * 16
    assert cache_mib(state | {"attention.recurrent_layers": (True, False, True, False)}) == 2 + 2 * 16
    assert cache_mib(state) == 4 * 16
    # Latent attention keeps keys alone.
    latent: dict[str, Value] = {"attention.key_length_mla": 192, "attention.value_length_mla": 128}
    assert cache_mib(latent) == 4 * 8
    assert cache_mib(latent | {"attention.indexer.key_length": 128}) == 4 * 16


def test_what_keeps_weights_in_main_memory_is_measured_first() -> None:
    model = replace(spec("m", 1), context=8192, n_gpu_layers=999)
    for argument in ("--cpu-moe", "-cmoe", "--n-cpu-moe", "-ncmoe", "-ot", "--override-tensor"):
        assert estimate_mib(replace(model, extra_args=("--mlock", argument, "exps=CPU")), 4000 * MIB, KEYS) is None
    assert estimate_mib(replace(model, extra_args=("-ngl", "20")), 4000 * MIB, KEYS) is None
    assert estimate_mib(replace(model, extra_args=("-ngl", "20", "-ngl", "0")), 4000 * MIB, KEYS) == 0
    assert estimate_mib(replace(model, n_gpu_layers=20, extra_args=("-ngl", "all")), 4000 * MIB, KEYS) == 4000 + 1024 + OVERHEAD_MIB


VALUES = st.one_of(st.integers(-1, 2**64 - 1), st.floats(), st.text(max_size=3), st.lists(st.floats(), max_size=5).map(tuple))
NAMES = (*ONE_HEAD, "attention.sliding_window", "attention.sliding_window_pattern", "attention.shared_kv_layers", "full_attention_interval")


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), VALUES))
@example({"block_count": 2**63, "attention.head_count_kv": 2**63, "attention.key_length": float("inf")})
def test_no_head_breaks_the_reckoning(told: dict[str, Value]) -> None:
    keys: dict[str, Value] = {"general.architecture": "any", **{f"any.{key}": value for key, value in told.items()}}
    found = estimate_mib(replace(spec("m"), n_gpu_layers=None), MIB, keys)
    assert found is not None and found > OVERHEAD_MIB


@pytest.mark.parametrize(
    ("head", "context", "mib"),
    # The third without what only a newer file says of its layers: tried with all the room that there is.
    [(GEMMA, 32768, 20196), (QWEN, 65536, 21108), ({**QWEN, "general.architecture": "qwen9"}, 65536, 24052)],
)
def test_a_model_whose_weights_fit_is_never_refused_by_reckoning(head: dict[str, Value], context: int, mib: int, tmp_path: Path) -> None:
    architecture = str(head["general.architecture"])
    named = {f"{architecture}.{key.split('.', 1)[1]}": value for key, value in head.items() if not key.startswith("general")}
    if architecture == "qwen9":
        del named["qwen9.full_attention_interval"]
    keys = [text_key("general.architecture", architecture), *(number_key(key, int(str(value))) for key, value in named.items())]
    path = tmp_path / "model.gguf"
    with path.open("wb") as file:
        file.write(gguf(keys, {}))
        file.truncate(16500 * MIB)
    book = MemoryBook(tmp_path / "memory.json", tmp_path)
    model = replace(spec("m", 1), path=path, context=context, n_gpu_layers=999)
    known = book.memory({"m": model}, 24564, 512)
    assert known.needs_mib == {"m": mib}
    assert isinstance(plan({"m": model}, [], "m", known), Fits)
    # Shares that leave the smaller part of the cards unused, too, and shares that no float can hold.
    for shares in ((3, 1), (0.7, 0.3)):
        two = replace(model, gpus=(0, 1), tensor_split=shares)
        for total in (24564, 22013, 22014, 22015):
            assert isinstance(plan({"m": two}, [], "m", book.memory({"m": two}, total, 512)), Fits)
    with path.open("r+b") as file:
        file.truncate(30000 * MIB)
    on_one = replace(model, gpus=(0,))  # Else nobody knows how many cards there are.
    found = plan({"m": on_one}, [], "m", book.memory({"m": on_one}, 24564, 512))
    assert isinstance(found, Impossible)
    assert "models.m.estimate_mib" in found.why


def test_what_a_log_says_of_a_model_with_a_projector_lacks_that_ones_weights(tmp_path: Path) -> None:
    projector = tmp_path / "mmproj.gguf"
    with projector.open("wb") as sparse:
        sparse.truncate(1289 * MIB + 1)
    model = replace(spec("m"), path=write_tiny_gguf(tmp_path / "tiny.gguf"), mmproj=projector)
    book = MemoryBook(tmp_path / "memory.json", tmp_path)
    log = tmp_path / "model-m.log"
    log.write_text("\n".join(LINES))
    assert book.learn(model, {}) == 4927 + 1290
    assert book.learn(model, {0: 7000}) == {0: 7000}
    assert book.learn(replace(model, mmproj=tmp_path / "gone.gguf"), {}) == 4927
    assert book.learn(replace(model, extra_args=("--no-mmproj-offload",)), {}) == 4927
    log.write_text(LINES[2])
    assert book.learn(model, {}) == 0


def test_what_earlier_versions_measured_of_models_with_a_draft_counts_no_more(tmp_path: Path) -> None:
    tiny = write_tiny_gguf(tmp_path / "tiny.gguf")
    place = tmp_path / "memory.json"
    for model, kept in ((replace(spec("m"), path=tiny), {"m": 800}), (replace(spec("m"), path=tiny, draft=tiny), {})):
        place.write_text(json.dumps({"m": [identity(model), 800]}))
        assert MemoryBook(place, tmp_path).memory({"m": model}, 12000, 512).measured_mib == kept


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
    told = replace(spec("m"), path=file, n_gpu_layers=999, gpus=(0,))
    assert book.memory({"m": told}, 1000, 0).needs_mib == {"m": 3000 + OVERHEAD_MIB}


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
