"""Reads weights and vocabulary back out of a file that `export` wrote, so that training can go on from the file that ships."""

from __future__ import annotations

from pathlib import Path

import gguf
import torch
from tokenizers import Tokenizer

from nano.export import gguf_name
from nano.model import Nano, Shape
from nano.tokens import CONTROL, VISIBLE, build


def _field(reader: gguf.GGUFReader, name: str) -> object:
    field = reader.get_field(name)
    if field is None:
        raise ValueError(f"{name} is not in the file")
    return field.contents()


def vocabulary_of(path: Path) -> Tokenizer:
    """The vocabulary that the file at `path` was written with."""
    reader = gguf.GGUFReader(str(path))
    words = _field(reader, "tokenizer.ggml.tokens")
    merges = _field(reader, "tokenizer.ggml.merges")
    assert isinstance(words, list) and isinstance(merges, list)
    special = {*CONTROL, *VISIBLE}
    pairs = [tuple(str(merge).split(" ", 1)) for merge in merges]
    return build({str(w): i for i, w in enumerate(words) if w not in special}, [(a, b) for a, b in pairs])


def model_of(path: Path) -> Nano:
    """The model in the file at `path`; its matrices are as exact as eight bits are.

    Raises:
        ValueError: the file lacks what `export` writes.
    """
    reader = gguf.GGUFReader(str(path))

    def number(name: str) -> float:
        return float(str(_field(reader, f"llama.{name}")))

    model = Nano(
        Shape(
            vocab=int(number("vocab_size")),
            width=int(number("embedding_length")),
            layers=int(number("block_count")),
            heads=int(number("attention.head_count")),
            hidden=int(number("feed_forward_length")),
            context=int(number("context_length")),
            rope_base=number("rope.freq_base"),
            norm_eps=number("attention.layer_norm_rms_epsilon"),
        )
    )
    stored = {t.name: gguf.quants.dequantize(t.data, t.tensor_type) for t in reader.tensors}
    weights = {name: torch.tensor(stored[gguf_name(name)]).reshape(old.shape) for name, old in model.state_dict().items()}
    model.load_state_dict(weights)
    return model
