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
    """Rotate the first half of each head against the second."""
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), -1)


def _normed(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    wide = x.float()
    return (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps) * weight).to(x.dtype)


def _gated(x: Tensor) -> Tensor:
    """SwiGLU of gate and up side by side."""
    gate, up = x.chunk(2, -1)
    return F.silu(gate) * up


def in_halves(weight: Tensor, heads: int) -> Tensor:
    """The rows of each head, those at even places first.

    llama.cpp rotates neighbours (its NORM form, what `llama` GGUFs use); with queries and keys in this order the same is `rotate`, which
    needs no shuffling of every token, and their products are the same.
    """
    return weight.view(heads, -1, 2, weight.size(1)).transpose(1, 2).reshape(weight.shape)


def sights(segments: Tensor, prefix: int, dtype: torch.dtype) -> Tensor:
    """What the tokens of rows see, to be added to their scores: 0, or minus infinity; (rows, 1, length, prefix + length).

    Args:
        segments: of the tokens (rows, length); each sees its own segment so far.
        prefix: tokens before the rows, which all see.
        dtype: of the scores.
    """
    rows, length = segments.shape
    own = segments[:, :, None] == segments[:, None, :]
    own &= torch.ones(length, length, dtype=torch.bool).tril()
    mask = torch.zeros(rows, 1, length, prefix + length, dtype=dtype)
    mask[:, 0, :, prefix:].masked_fill_(~own, float("-inf"))
    return mask


class RMSNorm(nn.Module):
    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return _normed(x, self.weight, self.eps)


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

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor) -> Tensor:
        """`x` (prefix + rows * length, width); `mask` (rows, 1, length, prefix + length) is what the tokens of the rows see.

        Scores are made whole: on processors, products of stacks of matrices are several times as fast as torch's attention in parts.
        """
        width = x.size(1)
        rows, _, length, prefix = *mask.shape[:3], mask.size(3) - mask.size(2)
        h, heads = self.attn_norm(x), self.heads
        weights = (in_halves(self.q.weight, heads) * self.scale, in_halves(self.k.weight, heads), self.v.weight)
        each = F.linear(h, torch.cat(weights).to(x.dtype)).view(-1, 3 * heads, width // heads)
        q, k = rotate(each[:, : 2 * heads], cos, sin).transpose(0, 1).chunk(2)
        v = each[:, 2 * heads :].transpose(0, 1)
        first = F.scaled_dot_product_attention(q[None, :, :prefix], k[None, :, :prefix], v[None, :, :prefix], is_causal=True, scale=1.0)[0]
        own = (t[:, prefix:].unflatten(1, (rows, length)).transpose(0, 1) for t in (q, k, v))
        own_q, own_k, own_v = own
        keys, values = (torch.cat((t[None, :, :prefix].expand(rows, -1, -1, -1), mine), 2) for t, mine in ((k, own_k), (v, own_v)))
        seen = torch.softmax(own_q @ keys.transpose(2, 3) + mask, -1) @ values
        both = torch.cat((first, seen.transpose(0, 1).flatten(1, 2)), 1).transpose(0, 1).reshape(-1, width)
        x = x + F.linear(both, self.o.weight.to(x.dtype))
        wide = F.linear(self.ffn_norm(x), torch.cat((self.gate.weight, self.up.weight)).to(x.dtype))
        return x + F.linear(_gated(wide), self.down.weight.to(x.dtype))


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

    def forward(self, prefix: Tensor, ids: Tensor, positions: Tensor, segments: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Hidden states (rows, length, width).

        Args:
            prefix: tokens (prefix) that all rows see, at positions 0, 1, ...
            ids: tokens (rows, length).
            positions: of the tokens (rows, length).
            segments: of the tokens (rows, length); a token sees the prefix and its own segment so far.
            dtype: what is computed in; the weights stay what they are.
        """
        cos, sin = rope_tables(self.shape, torch.cat((torch.arange(len(prefix)), positions.flatten())))
        x = self.embed(torch.cat((prefix, ids.flatten()))).to(dtype)
        cos, sin, mask = cos.to(dtype), sin.to(dtype), sights(segments, len(prefix), dtype)
        for block in self.blocks:
            x = block(x, cos, sin, mask)
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
