"""Attention in two parts gives the outputs and gradients of one mask over everything. Runs where torch is (`make -C nano test`)."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

torch: Any = pytest.importorskip("torch")


@pytest.mark.parametrize("length", [64, 65, 200])
def test_two_parts_give_what_one_mask_gives(length: int):
    attention: Any = importlib.import_module("nano.attention")
    torch.manual_seed(length)
    rows, heads, size, prefix = 3, 2, 16, 37
    q, k, v = (torch.randn(rows, length, heads, size).transpose(1, 2).requires_grad_() for _ in range(3))
    prefix_k, prefix_v = (torch.randn(1, prefix, heads, size).transpose(1, 2).requires_grad_() for _ in range(2))
    ends = torch.arange(length)
    segments = torch.stack((ends // 30, ends // 47, torch.where(ends < length - 9, 1, -1)))
    sees = (segments[:, :, None] == segments[:, None, :]) & torch.ones(length, length, dtype=torch.bool).tril()
    whole = torch.cat((torch.ones(rows, length, prefix, dtype=torch.bool), sees), 2)[:, None]
    keys, values = (torch.cat((p.expand(rows, -1, -1, -1), own), 2) for p, own in ((prefix_k, k), (prefix_v, v)))
    want = torch.nn.functional.scaled_dot_product_attention(q, keys, values, attn_mask=whole)
    got = attention.Attention.apply(q, k, v, prefix_k, prefix_v, attention.looks(segments, torch.float32))
    toward = torch.randn_like(want)
    of = (q, k, v, prefix_k, prefix_v)
    pairs = zip((got, *torch.autograd.grad(got, of, toward)), (want, *torch.autograd.grad(want, of, toward)), strict=True)
    for mine, theirs in pairs:
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-5)
