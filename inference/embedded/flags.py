"""The subset of llama-server's flags that the embedded server takes, and the parameter that each one sets.

Names, value words and defaults are llama-server's own. A flag that is not in this table is refused by name: a setting
that is silently ignored is worse than a model that does not start.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import xllamacpp

llama: Any = xllamacpp
"""The wheel has no type information."""

BUILTIN_MODELS: Final = {"builtin:nano": Path(__file__).with_name("nano.gguf")}
DEFAULT_PORT: Final = 8080
AUTO_SLOTS: Final = -1
"""llama-server's own default: four slots that share the context."""

Parameters = Any
"""`xllamacpp.CommonParams`: llama.cpp's parameter structure."""


class FlagRefused(Exception):
    """A command line that the embedded server does not take; the message names the flag."""


@dataclass(frozen=True)
class Flag:
    """One flag: its names (the last one is the one to show), its value's name, and what it does."""

    names: tuple[str, ...]
    value: str | None
    apply: Callable[[Parameters, str], None]


def parse(arguments: Sequence[str]) -> Parameters:
    """Turn a command line into llama.cpp's parameters.

    Raises:
        FlagRefused: an unknown flag, a missing or a wrong value.
    """
    parameters: Parameters = llama.CommonParams()
    parameters.port = DEFAULT_PORT
    parameters.n_parallel = AUTO_SLOTS
    known = {name: flag for flag in FLAGS for name in flag.names}
    rest = iter(arguments)
    for argument in rest:
        flag = known.get(argument)
        if flag is None:
            raise FlagRefused(f"the embedded server does not take {argument!r}; set a llama-server binary for that. It takes: {usage()}")
        value = "" if flag.value is None else next(rest, None)
        if value is None:
            raise FlagRefused(f"{argument} needs a value: {flag.value}")
        try:
            flag.apply(parameters, value)
        except (ValueError, OSError, OverflowError) as error:
            raise FlagRefused(f"{argument} {value}: {error} (it takes {flag.value})") from error
    return parameters


def usage() -> str:
    """All flags in one line."""
    return ", ".join("/".join(flag.names) + (f" {flag.value}" if flag.value else "") for flag in FLAGS)


def _to(name: str, convert: Callable[[str], Any]) -> Callable[[Parameters, str], None]:
    """Set one parameter, given by its dotted name."""
    *path, last = name.split(".")

    def apply(parameters: Parameters, value: str) -> None:
        target = parameters
        for step in path:
            target = getattr(target, step)
        setattr(target, last, convert(value))

    return apply


def _is(name: str, fixed: Any) -> Callable[[Parameters, str], None]:
    """Set one parameter to what the flag's presence means."""
    return _to(name, lambda _: fixed)


def _one_of(words: Mapping[str, Any]) -> Callable[[str], Any]:
    def convert(value: str) -> Any:
        if value not in words:
            raise ValueError(f"it must be one of {', '.join(words)}")
        return words[value]

    return convert


def _members(enum: Any, prefix: str, words: Sequence[str]) -> dict[str, Any]:
    """Map llama-server's words to the members of one of llama.cpp's enums."""
    return {word: getattr(enum, prefix + word.upper().replace("-", "_")) for word in words}


def _model(value: str) -> str:
    path = BUILTIN_MODELS.get(value, Path(value))
    if value in BUILTIN_MODELS and not path.is_file():
        raise ValueError(f"the model that ships is missing from this installation: {path}")
    return str(path)


def _commas(value: str) -> list[str]:
    return [part for part in value.split(",") if part]


def _file_text(value: str) -> str:
    return Path(value).read_text(encoding="utf-8")


def _template_settings(value: str) -> dict[str, str]:
    document: object = json.loads(value)
    if not isinstance(document, dict):
        raise ValueError("it must be a JSON object")
    # llama.cpp keeps each value as JSON text.
    return {str(key): json.dumps(item) for key, item in document.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _timeout(parameters: Parameters, value: str) -> None:
    parameters.timeout_read = parameters.timeout_write = int(value)


def _rerank(parameters: Parameters, _: str) -> None:
    parameters.embedding = True
    parameters.pooling_type = llama.llama_pooling_type.LLAMA_POOLING_TYPE_RANK


def _gpu_layers(value: str) -> int:
    return {"auto": -1, "all": -2}.get(value) or int(value)


_POOLING = _members(llama.llama_pooling_type, "LLAMA_POOLING_TYPE_", ("none", "mean", "cls", "last", "rank"))
_CACHE_TYPES = _members(
    llama.ggml_type,
    "GGML_TYPE_",
    ("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1"),
)
_REASONING = _members(
    llama.common_reasoning_format,
    "COMMON_REASONING_FORMAT_",
    ("none", "auto", "deepseek", "deepseek-legacy"),
)
_FLASH = llama.llama_flash_attn_type
_FLASH_WORDS = {
    "on": _FLASH.LLAMA_FLASH_ATTN_TYPE_ENABLED,
    "off": _FLASH.LLAMA_FLASH_ATTN_TYPE_DISABLED,
    "auto": _FLASH.LLAMA_FLASH_ATTN_TYPE_AUTO,
}
_LOAD_MODES = _members(llama.llama_load_mode, "LLAMA_LOAD_MODE_", ("auto", "none", "mmap", "mlock"))
_LOAD_MODES["dio"] = llama.llama_load_mode.LLAMA_LOAD_MODE_DIRECT_IO
_SPLITS = _members(llama.llama_split_mode, "LLAMA_SPLIT_MODE_", ("none", "layer", "row"))
_ON_OFF = {"on": True, "off": False}

FLAGS: Final[tuple[Flag, ...]] = (
    Flag(("-m", "--model"), "FILE", _to("model.path", _model)),
    Flag(("--host",), "ADDRESS", _to("hostnames", _commas)),
    Flag(("--port",), "N", _to("port", int)),
    Flag(("-c", "--ctx-size"), "N", _to("n_ctx", int)),
    Flag(("-np", "--parallel"), "N", _to("n_parallel", int)),
    Flag(("-t", "--threads"), "N", _to("cpuparams.n_threads", int)),
    Flag(("-tb", "--threads-batch"), "N", _to("cpuparams_batch.n_threads", int)),
    Flag(("-b", "--batch-size"), "N", _to("n_batch", int)),
    Flag(("-ub", "--ubatch-size"), "N", _to("n_ubatch", int)),
    Flag(("-ngl", "--gpu-layers", "--n-gpu-layers"), "auto|all|N", _to("n_gpu_layers", _gpu_layers)),
    Flag(("-mg", "--main-gpu"), "N", _to("main_gpu", int)),
    Flag(("-sm", "--split-mode"), "none|layer|row", _to("split_mode", _one_of(_SPLITS))),
    Flag(("-fa", "--flash-attn"), "on|off|auto", _to("flash_attn_type", _one_of(_FLASH_WORDS))),
    Flag(("-ctk", "--cache-type-k"), "TYPE", _to("cache_type_k", _one_of(_CACHE_TYPES))),
    Flag(("-ctv", "--cache-type-v"), "TYPE", _to("cache_type_v", _one_of(_CACHE_TYPES))),
    Flag(("-cram", "--cache-ram"), "MIB", _to("cache_ram_mib", int)),
    Flag(("-ctxcp", "--ctx-checkpoints"), "N", _to("n_ctx_checkpoints", int)),
    Flag(("-kvu", "--kv-unified"), None, _is("kv_unified", True)),
    Flag(("-lm", "--load-mode"), "auto|none|mmap|mlock|dio", _to("load_mode", _one_of(_LOAD_MODES))),
    Flag(("-fit", "--fit"), "on|off", _to("fit_params", _one_of(_ON_OFF))),
    Flag(("--warmup",), None, _is("warmup", True)),
    Flag(("--no-warmup",), None, _is("warmup", False)),
    Flag(("-mm", "--mmproj"), "FILE", _to("mmproj.path", str)),
    Flag(("-a", "--alias"), "NAMES", _to("model_alias", _commas)),
    Flag(("--api-key",), "KEYS", _to("api_keys", _commas)),
    Flag(("--slot-save-path",), "DIR/", _to("slot_save_path", lambda value: value.rstrip("/") + "/")),
    Flag(("--metrics",), None, _is("endpoint_metrics", True)),
    Flag(("--slots",), None, _is("endpoint_slots", True)),
    Flag(("--no-slots",), None, _is("endpoint_slots", False)),
    Flag(("--props",), None, _is("endpoint_props", True)),
    Flag(("--ui",), None, _is("ui", True)),
    Flag(("--no-ui",), None, _is("ui", False)),
    Flag(("--jinja",), None, _is("use_jinja", True)),
    Flag(("--no-jinja",), None, _is("use_jinja", False)),
    Flag(("--chat-template",), "TEXT", _to("chat_template", str)),
    Flag(("--chat-template-file",), "FILE", _to("chat_template", _file_text)),
    Flag(("--chat-template-kwargs",), "JSON", _to("default_template_kwargs", _template_settings)),
    Flag(("--reasoning-format",), "none|auto|deepseek|deepseek-legacy", _to("reasoning_format", _one_of(_REASONING))),
    Flag(("--embedding", "--embeddings"), None, _is("embedding", True)),
    Flag(("--rerank", "--reranking"), None, _rerank),
    Flag(("--pooling",), "none|mean|cls|last|rank", _to("pooling_type", _one_of(_POOLING))),
    Flag(("--threads-http",), "N", _to("n_threads_http", int)),
    Flag(("-to", "--timeout"), "SECONDS", _timeout),
    Flag(("--sse-ping-interval",), "SECONDS", _to("sse_ping_interval", int)),
    Flag(("-lv", "--verbosity", "--log-verbosity"), "N", _to("verbosity", int)),
)
