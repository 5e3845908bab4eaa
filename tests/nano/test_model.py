"""Conversations behind one prefix are computed as each would be alone, and the mean of files is that of their weights.

Runs where torch is (`make -C nano test`).
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

torch: Any = pytest.importorskip("torch")

PREFIX = 19
ROWS = ((12, 30, 7), (41, 8), (23,))
"""The conversations of each row, by their lengths."""


def a_model(seed: int = 3, layers: int = 2) -> Any:
    nano: Any = importlib.import_module("nano.model")
    torch.manual_seed(seed)
    model = nano.Nano(nano.Shape(vocab=50, width=32, layers=layers, heads=2, hidden=48))
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn_like(p), alpha=0.2)
    return model


def packed(is_chat: bool) -> tuple[Any, Any, Any, Any]:
    """A prefix, and ids, positions and segments of rows; in a chat the conversations of a row see each other."""
    length = max(sum(row) for row in ROWS)
    ids = torch.randint(50, (len(ROWS), length))
    positions = torch.zeros(len(ROWS), length, dtype=torch.long)
    segments = torch.full((len(ROWS), length), -1)
    for i, row in enumerate(ROWS):
        at = 0
        for each in row:
            first = PREFIX + (at if is_chat else 0)
            positions[i, at : at + each] = torch.arange(first, first + each)
            segments[i, at : at + each] = 1 if is_chat else at + 1
            at += each
    return torch.randint(50, (PREFIX,)), ids, positions, segments


@pytest.mark.parametrize("is_chat", [False, True])
def test_each_conversation_is_computed_as_it_would_be_alone(is_chat: bool):
    model = a_model()
    prefix, ids, positions, segments = packed(is_chat)
    together = model(prefix, ids, positions, segments)
    toward = torch.randn_like(together) * (segments >= 0)[..., None]
    gradients = torch.autograd.grad((together * toward).sum(), list(model.parameters()))
    summed = [torch.zeros_like(g) for g in gradients]
    for i, row in enumerate(ROWS):
        at = 0
        for each in (sum(row),) if is_chat else row:
            part = ids[i, at : at + each]
            alone = whole(model, torch.cat((prefix, part)))[PREFIX:]
            torch.testing.assert_close(together[i, at : at + each], alone, atol=2e-5, rtol=1e-4)
            for total, more in zip(
                summed, torch.autograd.grad((alone * toward[i, at : at + each]).sum(), list(model.parameters())), strict=True
            ):
                total += more
            at += each
    for mine, theirs in zip(gradients, summed, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-3, rtol=1e-3)


def test_the_mean_of_models_is_that_of_their_weights():
    mean: Any = importlib.import_module("nano.mean")
    one, other = a_model(3), a_model(4)
    wanted = {name: 0.25 * weight + 0.75 * other.state_dict()[name] for name, weight in one.state_dict().items()}
    got = mean.mean_of([(one, 1.0), (other, 3.0)]).state_dict()
    assert got.keys() == wanted.keys()
    for name, weight in wanted.items():
        torch.testing.assert_close(got[name], weight)


def test_how_much_a_file_counts_is_told_behind_its_path():
    mean: Any = importlib.import_module("nano.mean")
    for said, path, counts in (
        ("a.gguf", "a.gguf", 1.0), ("a.gguf=2", "a.gguf", 2.0), ("runs/lr=0.001/a.gguf", "runs/lr=0.001/a.gguf", 1.0),
        ("runs/lr=0.001/a.gguf=.5", "runs/lr=0.001/a.gguf", 0.5),
    ):  # fmt: skip
        assert mean._told(said) == (Path(path), counts)


def test_models_of_two_shapes_have_no_mean():
    mean: Any = importlib.import_module("nano.mean")
    with pytest.raises(ValueError, match="2 shapes"):
        mean.mean_of([(a_model(), 1.0), (a_model(layers=3), 1.0)])


def whole(model: Any, ids: Any) -> Any:
    """Hidden states (tokens, width) as llama.cpp computes them: one sequence, and neighbours rotated against each other."""
    functional, shape = torch.nn.functional, model.shape

    def normed(x: Any, norm: Any) -> Any:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + shape.norm_eps) * norm.weight

    def rotated(x: Any) -> Any:
        half = x.size(-1) // 2
        angle = torch.arange(len(ids))[:, None] * shape.rope_base ** (-torch.arange(half) / half)
        pairs = torch.view_as_complex(x.unflatten(-1, (half, 2)))
        return torch.view_as_real(pairs * torch.polar(torch.ones_like(angle), angle)[:, None]).flatten(-2)

    x = model.embed(ids)
    for block in model.blocks:
        h = normed(x, block.attn_norm)
        q, k, v = (each(h).unflatten(-1, (shape.heads, -1)) for each in (block.q, block.k, block.v))
        q, k, v = (t.transpose(0, 1) for t in (rotated(q), rotated(k), v))
        x = x + block.o(functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(0, 1).flatten(1))
        h = normed(x, block.ffn_norm)
        x = x + block.down(functional.silu(block.gate(h)) * block.up(h))
    return normed(x, model.norm)
