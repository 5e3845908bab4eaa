"""Write the projector of a model that sees: a few kilobytes by which a real llama.cpp server takes pictures for a model of `tiny_gguf`.

It is of LLaVA's kind: the picture is cut into patches, and each becomes one token's worth of numbers. What they are is of no meaning, so
nothing that the model says depends on them; that the server reads the picture, and how long it makes the prompt, is real.
"""

from __future__ import annotations

import math
import struct
import zlib
from array import array
from pathlib import Path
from typing import Final

from tests.fakes.gguf_file import flag_key, float_key, floats_key, gguf, number_key, text_key
from tests.fakes.tiny_gguf import WIDTH

SIDE: Final = 32
"""Pixels of a picture, to which each is brought."""
PATCH: Final = 16
TOKENS: Final = (SIDE // PATCH) ** 2
"""Of one picture."""
_EPSILON: Final = 1e-5


def write_tiny_projector(path: Path) -> Path:
    """Write it to `path` and return that."""
    numbers = {"image_size": SIDE, "patch_size": PATCH, "embedding_length": WIDTH, "feed_forward_length": WIDTH, "projection_dim": WIDTH}
    keys = [
        text_key("general.architecture", "clip"),
        text_key("clip.projector_type", "mlp"),
        flag_key("clip.has_vision_encoder", value=True),
        *(number_key(f"clip.vision.{name}", value) for name, value in numbers.items()),
        number_key("clip.vision.block_count", 1),
        number_key("clip.vision.attention.head_count", 1),
        float_key("clip.vision.attention.layer_norm_epsilon", _EPSILON),
        *(floats_key(f"clip.vision.image_{name}", (0.5, 0.5, 0.5)) for name in ("mean", "std")),
    ]
    shapes = {
        "v.patch_embd.weight": (PATCH, PATCH, 3, WIDTH),
        "v.position_embd.weight": (WIDTH, TOKENS),
        **{f"v.blk.0.{name}.weight": (WIDTH, WIDTH) for name in ("attn_q", "attn_k", "attn_v", "attn_out", "ffn_up", "ffn_down")},
        **{f"mm.{layer}.weight": (WIDTH, WIDTH) for layer in (0, 2)},
        **{f"mm.{layer}.bias": (WIDTH,) for layer in (0, 2)},
    }
    path.write_bytes(gguf(keys, {name: (shape, array("f", [0.01]) * math.prod(shape)) for name, shape in shapes.items()}))
    return path


def png(side: int) -> bytes:
    """A red square."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + bytes((200, 30, 30)) * side) * side
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
