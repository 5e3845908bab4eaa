"""Which files a model is made of: whoever looks for them, measures, reads or loads them means the same ones. Pure.

It knows names only: a model in several files (`big-00001-of-00003.gguf`) is named by the first, and llama.cpp finds the others likewise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from inference.catalog import ModelSpec

_PART = re.compile(r"(.*-)(\d{5})-of-(\d{5})(\.gguf)")


class ModelFile(NamedTuple):
    """One file that a model needs."""

    key: str
    """Of the model's settings, where it is named, itself or by its first part."""
    path: Path


def model_files(spec: ModelSpec) -> Iterator[ModelFile]:
    """All that its process will read, in that order."""
    for path in _parts(spec.path):
        yield ModelFile("path", path)
    if spec.mmproj is not None:
        yield ModelFile("mmproj", spec.mmproj)
    for path in () if spec.draft is None else _parts(spec.draft):
        yield ModelFile("draft", path)


def files_of(spec: ModelSpec) -> tuple[Path, ...]:
    """Their places alone."""
    return tuple(each.path for each in model_files(spec))


def _parts(path: Path) -> Iterator[Path]:
    found = _PART.fullmatch(path.name)
    if found is None or not 1 <= int(found[2]) <= int(found[3]):
        yield path
        return
    for number in range(1, int(found[3]) + 1):
        yield path.with_name(f"{found[1]}{number:05}-of-{found[3]}{found[4]}")
