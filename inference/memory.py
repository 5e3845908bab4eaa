"""What models take and what the GPUs hold, gathered for the scheduler: estimates, then what loads have shown, kept across restarts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from inference.catalog import ModelSpec
from inference.estimate import estimate_mib
from inference.kept import read_kept, write_kept
from inference.residency import Memory
from inference.runtimes.buffer_lines import gpu_mib
from inference.runtimes.gguf_header import PREFIX_BYTES, read_keys

LOG_TAIL_BYTES = 512 * 1024
"""What is read of a model's log after a load: a load writes far less."""


class MemoryBook:
    """The needs of models, in one small file beside the load times. A file that cannot be read is an empty book, never an error.

    A measurement counts for the command that it was made with: another context or another file is estimated anew.
    """

    def __init__(self, path: Path, log_dir: Path) -> None:
        self._path = path
        self._log_dir = log_dir
        self._measured: dict[str, tuple[str, int]] = read_kept(path, _parsed)

    def memory(self, specs: Mapping[str, ModelSpec], total_mib: int | None, margin_mib: int) -> Memory:
        """What is known before any load. Without `total_mib` (per GPU) nothing is: the number of models alone decides."""
        if total_mib is None:
            return Memory()
        gpus_mib = dict.fromkeys(_gpus(specs.values()), max(0, total_mib - margin_mib))
        needs_mib = {name: need for name, spec in specs.items() if (need := self._need_mib(spec, gpus_mib)) is not None}
        return Memory(gpus_mib, needs_mib)

    def learn(self, spec: ModelSpec) -> int | None:
        """Read from the model's log what its last load took, in MiB, and keep it; called from a thread. None where it does not say."""
        found = gpu_mib(_tail(self._log_dir / f"model-{spec.name}.log"))
        if found is not None and self._measured.get(spec.name) != (_identity(spec), found):
            self._measured[spec.name] = (_identity(spec), found)
            write_kept(self._path, self._measured)
        return found

    def _need_mib(self, spec: ModelSpec, gpus_mib: Mapping[int, int]) -> int | None:
        command, measured = self._measured.get(spec.name, ("", 0))
        if command == _identity(spec):
            return measured
        try:
            files_bytes = sum(path.stat().st_size for path in (spec.path, spec.mmproj, spec.draft) if path is not None)
            with spec.path.open("rb") as file:
                keys = read_keys(file.read(PREFIX_BYTES))
        except OSError:
            return spec.estimate_mib  # The start will say that the file is not there.
        need = estimate_mib(spec, files_bytes, keys)
        if need is None or spec.n_gpu_layers is not None or spec.estimate_mib is not None:
            return need
        # The runtime fits itself into what is free where it is not told how much to offload.
        return min(need, sum(mib for gpu, mib in gpus_mib.items() if spec.gpus is None or gpu in spec.gpus))


def _gpus(specs: Iterable[ModelSpec]) -> list[int]:
    return sorted({gpu for spec in specs for gpu in spec.gpus or ()}) or [0]


def _identity(spec: ModelSpec) -> str:
    files = (str(spec.path), str(spec.mmproj), str(spec.draft))
    cache = (spec.context, spec.slots, spec.cache_type_k, spec.cache_type_v)
    return repr((files, cache, spec.n_gpu_layers, spec.n_cpu_moe, spec.gpus, spec.extra_args))


def _tail(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - LOG_TAIL_BYTES))
            return file.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _parsed(found: Any) -> dict[str, tuple[str, int]]:
    return {str(model): (str(command), int(mib)) for model, (command, mib) in found.items()}
