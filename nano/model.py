"""A small Llama: RMS norm, rotary positions, SwiGLU, tied embedding; the architecture that llama.cpp runs as `llama`."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Shape:
    """Sizes of the model; `context` is the longest sequence that it is trained on."""

    vocab: int
    width: int = 256
    layers: int = 8
    heads: int = 4
    hidden: int = 704
    context: int = 2048
    rope_base: float = 10_000.0
    norm_eps: float = 1e-5


def rope_tables(shape: Shape, positions: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines (batch, 1, length, head/2) for positions (batch, length)."""
    half = shape.width // shape.heads // 2
    inv = shape.rope_base ** (-torch.arange(half, dtype=torch.float32) / half)
    angle = positions[:, None, :, None].float() * inv
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
        b, n, w = x.shape
        h = self.attn_norm(x)
        q, k, v = (f(h).view(b, n, self.heads, -1).transpose(1, 2) for f in (self.q, self.k, self.v))
        q, k = rotate(q, cos, sin).to(v.dtype), rotate(k, cos, sin).to(v.dtype)
        a = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = x + self.o(a.transpose(1, 2).reshape(b, n, w))
        h = self.ffn_norm(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class Nano(nn.Module):
    """Tokens (batch, length), positions (batch, length) and an additive mask (batch, 1, length, length) to hidden states."""

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

    def forward(self, tokens: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        cos, sin = rope_tables(self.shape, positions)
        x = self.embed(tokens)
        x = x.to(mask.dtype)
        cos, sin = cos.to(x.dtype), sin.to(x.dtype)
        for block in self.blocks:
            x = block(x, cos, sin, mask)
        return self.norm(x)

    def logits(self, hidden: Tensor) -> Tensor:
        """Logits over the vocabulary for hidden states of any leading shape (the embedding is tied)."""
        return F.linear(hidden, self.embed.weight.to(hidden.dtype)).float()
