"""What can be served on this machine: the catalog, knowing whether the packaged llama.cpp server can use graphics cards."""

from __future__ import annotations

import importlib.util
import logging
import mmap
from functools import lru_cache
from pathlib import Path

from config.schema import EngineSettings
from inference.cards.card import Look, no_cards
from inference.catalog import Catalog, build_catalog
from inference.processes.binaries import ProgramMissing, find_llama_server, missing_runtimes
from inference.runtimes.llama_server import PROGRAM

_LOG = logging.getLogger(__name__)
_PREFIX, _SUFFIX = b"ggml_backend_", b"_reg"
"""Around a backend's name in that of the function by which llama.cpp registers it."""
_PROCESSOR = b"cpu"
_CARDS = frozenset({b"cann", b"cuda", b"hip", b"metal", b"musa", b"opencl", b"openvino", b"rpc", b"sycl", b"vk", b"webgpu"})
_LONGEST_NAME = 16
_LIBRARIES = (".so", ".dylib", ".pyd", ".dll")


def found_catalog(settings: EngineSettings, look: Look = no_cards) -> Catalog:
    """What these settings can serve here; says in the log what a model asks for in vain. Blocks.

    The wheel is looked into only where that decides something, because it is large: a model asks for a card, or there are any.

    Raises:
        CatalogRefused: a model that cannot be served as it is configured.
    """
    binary = settings.runtimes.llama_server.binary
    missing = missing_runtimes(binary)
    packaged = build_catalog(settings, missing, without_gpu=(PROGRAM,))
    has_say = settings.residency.total_mib is not None or any(spec.warning for spec in packaged.models.values()) or bool(look())
    if not (has_say and _is_without_gpu(binary)):
        return build_catalog(settings, missing)
    for name, spec in packaged.models.items():
        if spec.warning is not None:
            _LOG.warning("models.%s: %s", name, spec.warning)
    return packaged


def knows_no_card(folder: Path) -> bool:
    """Whether the libraries in `folder` register the processor and nothing else: read from their names of functions, so that no card is
    touched. Where not even the processor's is found, nobody knows, and cards are reckoned with.
    """
    backends: set[bytes] = set()
    for file in sorted(folder.iterdir()):
        if file.suffix in _LIBRARIES:
            found = file.stat()
            backends |= _backends(file, (found.st_size, found.st_mtime_ns))
    return _PROCESSOR in backends and not backends & _CARDS


def _is_without_gpu(binary: str | None) -> bool:
    try:
        if not find_llama_server(binary).is_embedded:
            return False
        wheel = importlib.util.find_spec("xllamacpp")
        return wheel is not None and wheel.origin is not None and knows_no_card(Path(wheel.origin).parent)
    except (OSError, ProgramMissing, ValueError):
        return False


@lru_cache(maxsize=16)
def _backends(file: Path, _build: tuple[int, ...]) -> frozenset[bytes]:
    """What a library registers, by name; `_build` tells one that has been replaced since."""
    found: set[bytes] = set()
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        at = content.find(_PREFIX)
        while at >= 0:
            begin = at + len(_PREFIX)
            name, suffix, _ = content[begin : begin + _LONGEST_NAME].partition(_SUFFIX)
            if suffix:
                found.add(name)
            at = content.find(_PREFIX, begin)
    return frozenset(found)
