"""A small Llama: RMS norm, rotary positions, SwiGLU, tied embedding; the architecture that llama.cpp runs as `llama`.

In training many conversations stand behind one prefix, which is computed once: their tokens attend to it and to what is before them in
their own row.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nano import attention


@dataclass(frozen=True)
class Shape:
    """Sizes of the model; `context` is the longest sequence that it is trained on."""

    vocab: int
    width: int = 256
    layers: int = 6
    heads: int = 4
    hidden: int = 704
    context: int = 2048
    rope_base: float = 10_000.0
    norm_eps: float = 1e-5


def rope_tables(shape: Shape, positions: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines (tokens, 1, head/2) for positions (tokens)."""
    half = shape.width // shape.heads // 2
    inv = shape.rope_base ** (-torch.arange(half, dtype=torch.float32) / half)
    angle = positions[:, None, None].float() * inv
    return angle.cos(), angle.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate pairs of neighbours (llama.cpp's NORM form, what `llama` GGUFs use)."""
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)


class RMSNorm(nn.Module):
    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        scale = torch.rsqrt(x.float().pow(2).mean(-1, keepdim=True) + self.eps)
        return (x * scale.to(x.dtype)) * self.weight.to(x.dtype)


class Block(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        w = shape.width
        self.heads = shape.heads
        self.scale = (w // shape.heads) ** -0.5
        self.attn_norm = RMSNorm(w, shape.norm_eps)
        self.ffn_norm = RMSNorm(w, shape.norm_eps)
        self.q = nn.Linear(w, w, bias=False)
        self.k = nn.Linear(w, w, bias=False)
        self.v = nn.Linear(w, w, bias=False)
        self.o = nn.Linear(w, w, bias=False)
        self.gate = nn.Linear(w, shape.hidden, bias=False)
        self.up = nn.Linear(w, shape.hidden, bias=False)
        self.down = nn.Linear(shape.hidden, w, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, rows: int, length: int, look: list[attention.Look]) -> Tensor:
        """`x` (prefix + rows * length, width); `look` is how the tokens of the rows look back."""
        w = x.size(1)
        p = len(x) - rows * length
        h = self.attn_norm(x)
        q, k, v = (f(h).view(-1, self.heads, w // self.heads) for f in (self.q, self.k, self.v))
        q, k = rotate(q, cos, sin).to(v.dtype), rotate(k, cos, sin).to(v.dtype)
        q, k, v = (t.transpose(0, 1) for t in (q, k, v))
        first = F.scaled_dot_product_attention(q[None, :, :p], k[None, :, :p], v[None, :, :p], is_causal=True, scale=self.scale)[0]
        own_q, own_k, own_v = (t[:, p:].unflatten(1, (rows, length)).transpose(0, 1) for t in (q, k, v))
        own = attention.Attention.apply(own_q, own_k, own_v, k[None, :, :p], v[None, :, :p], look)
        a = own.transpose(0, 1).flatten(1, 2)
        x = x + self.o(torch.cat((first, a), 1).transpose(0, 1).reshape(-1, w))
        h = self.ffn_norm(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class Nano(nn.Module):
    """Tokens of a prefix and of the rows behind it to the hidden states of the rows."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embed = nn.Embedding(shape.vocab, shape.width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = RMSNorm(shape.width, shape.norm_eps)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                std = (
                    0.02 if "embed" in name else (0.02 / (2 * shape.layers) ** 0.5 if name.endswith(("o.weight", "down.weight")) else 0.05)
                )
                nn.init.normal_(p, std=std)

    def forward(self, prefix: Tensor, ids: Tensor, positions: Tensor, segments: Tensor) -> Tensor:
        """Hidden states (rows, length, width).

        Args:
            prefix: tokens (prefix) that all rows see, at positions 0, 1, ...
            ids: tokens (rows, length).
            positions: of the tokens (rows, length).
            segments: of the tokens (rows, length); a token sees the prefix and its own segment so far.
        """
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32
        cos, sin = rope_tables(self.shape, torch.cat((torch.arange(len(prefix)), positions.flatten())))
        x = self.embed(torch.cat((prefix, ids.flatten()))).to(dtype)
        cos, sin, look = cos.to(dtype), sin.to(dtype), attention.looks(segments, dtype)
        for block in self.blocks:
            x = block(x, cos, sin, *ids.shape, look)
        return self.norm(x[len(prefix) :]).unflatten(0, ids.shape)

    def logits(self, hidden: Tensor) -> Tensor:
        """Logits over the vocabulary for hidden states of any leading shape (the embedding is tied)."""
        return F.linear(hidden, self.embed.weight.to(hidden.dtype)).float()


def deeper(model: Nano, layers: int) -> Nano:
    """The same function with more layers: copies that add nothing yet, spread evenly behind their originals.

    Args:
        model: of fewer layers, but at least half as many.
        layers: of the result.
    """
    old = list(model.blocks)
    more = layers - len(old)
    followed = {(i + 1) * len(old) // more - 1 for i in range(more)}
    blocks: list[nn.Module] = []
    for i, block in enumerate(old):
        blocks.append(block)
        if i in followed:
            copy = deepcopy(block)
            nn.init.zeros_(copy.o.weight)
            nn.init.zeros_(copy.down.weight)
            blocks.append(copy)
    grown = Nano(replace(model.shape, layers=layers))
    grown.blocks = nn.ModuleList(blocks)
    grown.embed, grown.norm = model.embed, model.norm
    return grown
