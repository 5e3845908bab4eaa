"""How llama-server, or the embedded server that mimics it, is started for one model.

Pure: which program is there is found out elsewhere (`inference.processes.binaries`); the environment comes in as an argument.
Every setting that matters is passed, never left to a default that an update may change (the default port has
been announced to move), and llama-server's own environment variables are taken out, since they would add to our flags.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from inference.catalog import ModelSpec
from inference.runtimes.launch import KEY_VARIABLE, Launch
from inference.runtimes.state_lines import ENABLING_VARIABLE

PROGRAM: Final = "llama-server"
HEALTH_PATH: Final = "/health"
HOST: Final = "127.0.0.1"
"""Children speak plain HTTP, so nobody but this machine may reach them."""

VERBOSITY: Final = 4
"""From 4 on it tells what it put where in VRAM, and why a load failed; at 5 it would log prompts. Builds before May 2026 count otherwise: 4
is already what would log prompts there, and they tell the rest by themselves. So only a program whose own words are these is told so."""
_TELLS_TRACE: Final = re.compile(r"\b4: trace\b")
"""In the help of one that counts like this."""

PROMPT_CACHE_FLAG: Final = "--cache-ram"
"""How much main memory it may fill with conversations that had to make way for others in its slots. Builds before October 2025 have no such
memory and do not start with the flag; those since take 8 GiB for each model where they are not told."""
MOST_CACHE_MIB: Final = 8192
"""llama.cpp's own default."""
_UNKNOWN_CACHE_MIB: Final = 2048
"""Where nobody knows how much main memory there is."""
_CACHE_SHARE: Final = 8
"""This part of main memory, which holds model files, a desktop and other programs, too."""

_SCRUBBED_PREFIXES: Final = ("LLAMA_ARG_", "VARIET_")
"""Hidden settings of the child, and ours, which hold secrets that are no business of a child."""
_SCRUBBED: Final = frozenset({"LLAMA_SERVER_CHILD_MODE", ENABLING_VARIABLE, KEY_VARIABLE})
"""The first two would make the server something else; the third, if it were not ours, would lock us out."""
_NO_PAGE: Final = {"LLAMA_ARG_UI": "0", "LLAMA_ARG_NO_WEBUI": "1"}
"""No web page of its own. The flag for it has had two names, and a build that does not know one of them would not start; of a variable that
it does not know it takes no notice."""
_NO_TRACE: Final = {"GGML_NO_BACKTRACE": "1"}
"""After an abort the reason is the last word. A debugger that prints the stack would hold a process of many gigabytes, and its
memory with it, until it is done."""


@dataclass(frozen=True)
class Program:
    """What runs a model, found on this machine."""

    command: tuple[str, ...]
    """The first arguments: a path, or an interpreter and its module."""
    is_embedded: bool
    """Whether it is the server from the wheel, which takes only part of llama-server's flags."""
    has_trace: bool = False
    """Whether it is known to be of May 2026 or later, by what it calls its levels of logging. State lines are younger than that."""
    has_prompt_cache: bool = False
    """Whether it is known to take `PROMPT_CACHE_FLAG`."""


@dataclass(frozen=True)
class Surroundings:
    """What a launch needs beside the model: the same for all models of one engine."""

    program: Program
    environ: Mapping[str, str]
    """The engine's own environment."""
    stall_timeout_s: float
    stop_timeout_s: float
    slots_dir: Path | None = None
    """Where the server may keep the contents of its slots; absent: nowhere."""
    prompt_cache_mib: int | None = None
    """Main memory for conversations beside those in its slots; absent: as the program has it."""


def build_launch(spec: ModelSpec, port: int, surroundings: Surroundings, key: str = "") -> Launch:
    """Turn a model and a free port into what `Child.spawn` starts; `key` is what its requests must show, if anything."""
    program = surroundings.program
    return Launch(
        argv=(*program.command, *_arguments(spec, port, surroundings)),
        env=child_environment(surroundings.environ, spec.gpus, program) | ({KEY_VARIABLE: key} if key else {}),
        port=port,
        health_path=HEALTH_PATH,
        speaks_state_lines=program.has_trace,
        stall_timeout_s=surroundings.stall_timeout_s,
        stop_timeout_s=surroundings.stop_timeout_s,
        key=key,
        program="" if program.is_embedded else program.command[0],
    )


def embedded_program(python: str) -> Program:
    """The server from the wheel, run by the interpreter at `python`; -P keeps the current folder from shadowing modules."""
    return Program(command=(python, "-P", "-m", "inference.embedded"), is_embedded=True, has_trace=True, has_prompt_cache=True)


def tells_trace(help_text: str) -> bool:
    """Whether a program with this help is one that `Program.has_trace` speaks of."""
    return _TELLS_TRACE.search(help_text) is not None


def tells_prompt_cache(help_text: str) -> bool:
    """Whether a program with this help is one that `Program.has_prompt_cache` speaks of."""
    return PROMPT_CACHE_FLAG in help_text


def prompt_cache_mib(memory_bytes: int | None, models: int) -> int:
    """What each of so many models side by side may keep in main memory, where the person does not say; 0: nothing."""
    whole_mib = _UNKNOWN_CACHE_MIB if memory_bytes is None else memory_bytes // 2**20 // _CACHE_SHARE
    return min(MOST_CACHE_MIB, whole_mib) // models


def _arguments(spec: ModelSpec, port: int, surroundings: Surroundings) -> Iterator[str]:
    program = surroundings.program
    yield from ("-m", str(spec.path), "--alias", spec.name)
    yield from ("--host", HOST, "--port", str(port))
    # llama-server divides the context among its slots; the settings speak of one slot.
    yield from ("-c", str(spec.context * spec.slots), "-np", str(spec.slots))
    if program.has_trace:
        yield from ("-lv", str(VERBOSITY))
    if program.is_embedded:
        yield "--no-ui"
    optional: tuple[tuple[str, object], ...] = (
        ("-t", spec.threads),
        ("-ngl", spec.n_gpu_layers),
        ("--n-cpu-moe", spec.n_cpu_moe),
        ("-ts", None if spec.tensor_split is None else ",".join(f"{share:g}" for share in spec.tensor_split)),
        ("-ctk", spec.cache_type_k),
        ("-ctv", spec.cache_type_v),
        ("--mmproj", spec.mmproj),
        ("-md", spec.draft),
        ("--slot-save-path", surroundings.slots_dir),
        (PROMPT_CACHE_FLAG, surroundings.prompt_cache_mib if program.has_prompt_cache else None),
    )
    for flag, value in optional:
        if value is not None:
            yield from (flag, str(value))
    # Last: the later of two equal flags wins, and these are the person's own.
    yield from spec.extra_args


def child_environment(environ: Mapping[str, str], gpus: tuple[int, ...] | None, program: Program) -> dict[str, str]:
    """What a program of ours finds around it: `environ` without what is no business of it, and the GPUs that it may see."""
    # Windows spells the names of variables as it likes.
    kept = {name: value for name, value in environ.items() if not _is_scrubbed(name.upper())}
    kept |= _NO_PAGE | _NO_TRACE
    if program.has_trace:
        # Any value: it makes the server speak state lines and read the exit command. Builds of December 2025 end themselves over it.
        kept[ENABLING_VARIABLE] = "1"
    if gpus is not None:
        listed = ",".join(str(index) for index in gpus)
        # The order that nvidia-smi and NVML count in; CUDA's own is "fastest first".
        kept |= {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": listed, "GGML_VK_VISIBLE_DEVICES": listed}
    return kept


def _is_scrubbed(name: str) -> bool:
    return name in _SCRUBBED or name.startswith(_SCRUBBED_PREFIXES)
