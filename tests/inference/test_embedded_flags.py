"""ENG-18: every flag that the embedded server takes sets the parameter that llama-server's flag of that name sets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inference.embedded.flags import BUILTIN_MODELS, FLAGS, FlagRefused, llama, parse

Read = Callable[[Any], Any]

POOLING = llama.llama_pooling_type
CASES: dict[str, tuple[list[str], Read, Any]] = {
    "-m": (["-m", "/a/b.gguf"], lambda p: p.model.path, "/a/b.gguf"),
    "--host": (["--host", "127.0.0.1"], lambda p: p.hostnames, ["127.0.0.1"]),
    "--port": (["--port", "9001"], lambda p: p.port, 9001),
    "-c": (["-c", "2048"], lambda p: p.n_ctx, 2048),
    "-np": (["-np", "3"], lambda p: p.n_parallel, 3),
    "-t": (["-t", "5"], lambda p: p.cpuparams.n_threads, 5),
    "-tb": (["-tb", "6"], lambda p: p.cpuparams_batch.n_threads, 6),
    "-b": (["-b", "1024"], lambda p: p.n_batch, 1024),
    "-ub": (["-ub", "256"], lambda p: p.n_ubatch, 256),
    "-ngl": (["-ngl", "33"], lambda p: p.n_gpu_layers, 33),
    "-mg": (["-mg", "1"], lambda p: p.main_gpu, 1),
    "-sm": (["-sm", "row"], lambda p: p.split_mode, llama.llama_split_mode.LLAMA_SPLIT_MODE_ROW),
    "-fa": (["-fa", "on"], lambda p: p.flash_attn_type, llama.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_ENABLED),
    "-ctk": (["-ctk", "q8_0"], lambda p: p.cache_type_k, llama.ggml_type.GGML_TYPE_Q8_0),
    "-ctv": (["-ctv", "q4_0"], lambda p: p.cache_type_v, llama.ggml_type.GGML_TYPE_Q4_0),
    "-cram": (["-cram", "64"], lambda p: p.cache_ram_mib, 64),
    "-ctxcp": (["-ctxcp", "4"], lambda p: p.n_ctx_checkpoints, 4),
    "-kvu": (["-kvu"], lambda p: p.kv_unified, True),
    "-lm": (["-lm", "dio"], lambda p: p.load_mode, llama.llama_load_mode.LLAMA_LOAD_MODE_DIRECT_IO),
    "-fit": (["-fit", "off"], lambda p: p.fit_params, False),
    "--warmup": (["--no-warmup", "--warmup"], lambda p: p.warmup, True),
    "--no-warmup": (["--no-warmup"], lambda p: p.warmup, False),
    "-mm": (["--mmproj", "/v.gguf"], lambda p: p.mmproj.path, "/v.gguf"),
    "-a": (["--alias", "fast,nano"], lambda p: p.model_alias, {"fast", "nano"}),
    "--api-key": (["--api-key", "a,b"], lambda p: p.api_keys, ["a", "b"]),
    "--slot-save-path": (["--slot-save-path", "/tmp/slots"], lambda p: p.slot_save_path, "/tmp/slots/"),
    "--metrics": (["--metrics"], lambda p: p.endpoint_metrics, True),
    "--slots": (["--no-slots", "--slots"], lambda p: p.endpoint_slots, True),
    "--no-slots": (["--no-slots"], lambda p: p.endpoint_slots, False),
    "--props": (["--props"], lambda p: p.endpoint_props, True),
    "--ui": (["--no-ui", "--ui"], lambda p: p.ui, True),
    "--no-ui": (["--no-ui"], lambda p: p.ui, False),
    "--jinja": (["--no-jinja", "--jinja"], lambda p: p.use_jinja, True),
    "--no-jinja": (["--no-jinja"], lambda p: p.use_jinja, False),
    "--chat-template": (["--chat-template", "chatml"], lambda p: p.chat_template, "chatml"),
    "--chat-template-kwargs": (
        ["--chat-template-kwargs", '{"enable_thinking": false}'],
        lambda p: p.default_template_kwargs,
        {"enable_thinking": "false"},
    ),
    "--reasoning-format": (
        ["--reasoning-format", "deepseek-legacy"],
        lambda p: p.reasoning_format,
        llama.common_reasoning_format.COMMON_REASONING_FORMAT_DEEPSEEK_LEGACY,
    ),
    "--embedding": (["--embedding"], lambda p: p.embedding, True),
    "--rerank": (["--reranking"], lambda p: (p.embedding, p.pooling_type), (True, POOLING.LLAMA_POOLING_TYPE_RANK)),
    "--pooling": (["--pooling", "mean"], lambda p: p.pooling_type, POOLING.LLAMA_POOLING_TYPE_MEAN),
    "--threads-http": (["--threads-http", "3"], lambda p: p.n_threads_http, 3),
    "-to": (["--timeout", "77"], lambda p: (p.timeout_read, p.timeout_write), (77, 77)),
    "--sse-ping-interval": (["--sse-ping-interval", "9"], lambda p: p.sse_ping_interval, 9),
    "-lv": (["-lv", "4"], lambda p: p.verbosity, 4),
}
ELSEWHERE = {"--chat-template-file"}


@pytest.mark.parametrize(("arguments", "read", "expected"), CASES.values(), ids=CASES)
def test_the_flag_sets_its_parameter_and_that_was_not_the_default(arguments: list[str], read: Read, expected: Any) -> None:
    assert read(parse(arguments)) == expected
    if len(arguments) == 1 or arguments[0].startswith("--no-") is False:
        assert read(llama.CommonParams()) != expected or arguments[0] == "--host"


def test_no_flag_is_without_a_test() -> None:
    assert {flag.names[0] for flag in FLAGS} == CASES.keys() | ELSEWHERE


def test_all_names_of_a_flag_mean_the_same() -> None:
    names = [name for flag in FLAGS for name in flag.names]
    assert len(names) == len(set(names))
    assert parse(["--ctx-size", "512"]).n_ctx == parse(["-c", "512"]).n_ctx == 512


def test_a_template_comes_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "t.jinja").write_text("{{ messages }}", encoding="utf-8")
    assert parse(["--chat-template-file", str(tmp_path / "t.jinja")]).chat_template == "{{ messages }}"


@pytest.mark.parametrize(("word", "layers"), [("auto", -1), ("all", -2), ("0", 0)])
def test_gpu_layers_may_be_words(word: str, layers: int) -> None:
    assert parse(["-ngl", word]).n_gpu_layers == layers


def test_without_a_flag_llama_servers_defaults_hold() -> None:
    parameters = parse([])
    assert (parameters.port, parameters.n_parallel, parameters.n_ctx, parameters.hostnames) == (8080, -1, 0, ["127.0.0.1"])


@pytest.mark.parametrize("flag", ["--n-cpu-moe", "-md", "--api-key-file", "-hf", "serve"])
def test_a_flag_outside_the_subset_is_refused_by_its_name_with_what_there_is(flag: str) -> None:
    with pytest.raises(FlagRefused, match=f"'{flag}'.*-m/--model FILE.*--port N"):
        parse(["-m", "x.gguf", flag, "1"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port"], "--port needs a value"),
        (["--port", "many"], "--port many"),
        (["-fa", "maybe"], "one of on, off, auto"),
        (["-ctk", "q9"], "one of f32, f16"),
        (["--chat-template-file", "/nowhere"], "No such file"),
        (["--chat-template-kwargs", "[1]"], "JSON object"),
        (["-c", "99999999999999"], "-c 99999999999999"),
    ],
)
def test_a_wrong_value_is_refused_with_its_flag(arguments: list[str], words: str) -> None:
    with pytest.raises(FlagRefused, match=words):
        parse(arguments)


def test_the_model_that_ships_has_a_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "nano.gguf").touch()
    monkeypatch.setitem(BUILTIN_MODELS, "builtin:nano", tmp_path / "nano.gguf")  # pyright: ignore[reportArgumentType]
    assert parse(["-m", "builtin:nano"]).model.path == str(tmp_path / "nano.gguf")


def test_an_installation_without_the_shipped_model_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(BUILTIN_MODELS, "builtin:nano", tmp_path / "nano.gguf")  # pyright: ignore[reportArgumentType]
    with pytest.raises(FlagRefused, match="missing from this installation"):
        parse(["-m", "builtin:nano"])
