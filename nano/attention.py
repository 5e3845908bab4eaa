"""Attention of rows that share a prefix and hold many conversations: to the prefix and to their own row apart, then joined.

The two parts are joined by the logarithms of their sums. So no row needs a copy of the prefix, and no token looks at conversations that it
does not see. It is made of the kernels that torch has for processors.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

_flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_flash_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward
BLOCK = 64
"""Tokens of a row that look back together."""


class Look(NamedTuple):
    """How some tokens of the rows look back."""

    begin: int
    end: int
    """Tokens `begin` to `end` ..."""
    first: int
    """... see those from here on ..."""
    mask: Tensor
    """... where this is 0 and not minus infinity: (rows, 1, end - begin, end - first)."""


def looks(segments: Tensor, dtype: torch.dtype) -> list[Look]:
    """How the tokens of rows look back; each sees its own segment so far.

    Args:
        segments: of the tokens (rows, length); those of one segment stand together.
        dtype: of the masks, which has to be that of the queries.
    """
    length = segments.size(1)
    out: list[Look] = []
    for begin in range(0, length, BLOCK):
        end = min(begin + BLOCK, length)
        first = int((segments == segments[:, begin : begin + 1]).int().argmax(1).min())
        own = segments[:, begin:end, None] == segments[:, None, first:end]
        own &= torch.arange(begin, end)[:, None] >= torch.arange(first, end)
        out.append(Look(begin, end, first, torch.zeros(own.shape, dtype=dtype).masked_fill_(~own, float("-inf"))[:, None]))
    return out


def _flat(rows: Tensor) -> Tensor:
    """(rows, heads, length, ...) as one row: (1, heads, rows * length, ...)."""
    return rows.transpose(0, 1).flatten(1, 2)[None]


class Attention(torch.autograd.Function):
    """`apply(q, k, v, prefix_k, prefix_v, look)`: q, k, v (rows, heads, length, size), the prefix's (1, heads, prefix, size).

    The prefix has at least one token.
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, prefix_k: Tensor, prefix_v: Tensor, look: list[Look]) -> Tensor:
        rows, _, length, size = q.shape
        scale = size**-0.5
        before, before_sum = _flash(_flat(q), prefix_k, prefix_v, 0.0, False, scale=scale)
        before, before_sum = (t[0].unflatten(1, (rows, length)).transpose(0, 1) for t in (before, before_sum))
        parts = [_flash(q[:, :, b:e], k[:, :, f:e], v[:, :, f:e], 0.0, False, attn_mask=mask, scale=scale) for b, e, f, mask in look]
        own, own_sum = (torch.cat(list(t), 2) for t in zip(*parts, strict=True))
        every = torch.logaddexp(before_sum, own_sum)
        out = torch.lerp(own, before, torch.exp(before_sum - every)[..., None].to(own.dtype))
        ctx.save_for_backward(q, k, v, prefix_k, prefix_v, out, every)
        ctx.look = look
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]  # torch's own signature is *args
        q, k, v, prefix_k, prefix_v, out, every = ctx.saved_tensors
        rows, _, length, size = q.shape
        scale = size**-0.5
        # Given the whole's output and sums, each part's gradient is what it adds to the whole's.
        of_q, of_prefix_k, of_prefix_v = _flash_backward(
            _flat(grad), _flat(q), prefix_k, prefix_v, _flat(out), _flat(every), 0.0, False, scale=scale
        )
        of_q = of_q[0].unflatten(1, (rows, length)).transpose(0, 1)
        of_k, of_v = torch.zeros_like(k), torch.zeros_like(v)
        own: list[Tensor] = []
        for b, e, f, mask in ctx.look:
            dq, dk, dv = _flash_backward(
                *(grad[:, :, b:e], q[:, :, b:e], k[:, :, f:e], v[:, :, f:e], out[:, :, b:e], every[:, :, b:e]),
                *(0.0, False),
                attn_mask=mask,
                scale=scale,
            )
            own.append(dq)
            of_k[:, :, f:e] += dk
            of_v[:, :, f:e] += dv
        return of_q + torch.cat(own, 2), of_k, of_v, of_prefix_k, of_prefix_v, None
