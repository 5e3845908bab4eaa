"""Trains the small model from nothing: `python -m nano.train` (vocabulary, weights, loss curve, checkpoints; resumes where it stopped).

The learning rate is constant and falls to nothing in the last part, so that a run can be lengthened. Matrices are stepped by Muon,
which needs about half of the steps that AdamW does here, and the rest by AdamW.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from nano import batches, generate, tokens
from nano.export import export
from nano.model import Nano, Shape

WORK = Path(__file__).with_name("work")
SEED = 20261121
PIECES = 700
SPACED_WORDS = 120
CONTEXT = 2048
"""The longest conversation that it is trained on, in tokens."""
VOCABULARY_PACKS = 1500
"""Packs read to learn the vocabulary."""
DECAY = 0.3
"""The last part of a run, in which the learning rate falls to nothing."""
WARM_UP = 40
_HELD_OUT = 10**9
"""Seeds from here on are never trained on."""


def vocabulary(path: Path) -> None:
    """Learn the pieces once from generated text."""
    texts: list[str] = []
    for seed in range(VOCABULARY_PACKS):
        pack = generate.pack(SEED + seed, chars=3000)
        texts.append(pack.prefix if seed % 10 == 0 else "")
        texts += [t for turns in pack.dialogues for t, _ in turns]
    plain = [part for t in texts for part in _without_special(t)]
    tokens.save(tokens.train(plain, pieces=PIECES, spaced_words=SPACED_WORDS), path)


def _without_special(text: str) -> list[str]:
    for mark in tokens.CONTROL + tokens.VISIBLE:
        text = text.replace(mark, "\0")
    return text.split("\0")


def _orthogonal(g: Tensor) -> Tensor:
    """Newton-Schulz: the nearest matrix with singular values of about one."""
    x = g.bfloat16()
    if flip := x.size(0) > x.size(1):
        x = x.T
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return (x.T if flip else x).to(g.dtype)


class Muon(torch.optim.Optimizer):
    """Momentum whose update is made orthogonal; for matrices only."""

    def __init__(self, params: list[torch.nn.Parameter], lr: float, momentum: float = 0.95, decay: float = 0.01) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # torch's own signature is an overload
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                buffer = self.state[p].setdefault("m", torch.zeros_like(p))
                buffer.lerp_(p.grad, 1 - group["momentum"])
                update = _orthogonal(p.grad.lerp(buffer, group["momentum"]))
                p.mul_(1 - group["lr"] * group["decay"])
                p.add_(update, alpha=-group["lr"] * max(1.0, p.size(0) / p.size(1)) ** 0.5)


def masks(segments: Tensor) -> Tensor:
    """(rows, 1, length, length): 0 where a token sees another, minus infinity elsewhere."""
    n = segments.size(1)
    own = segments[:, :, None] == segments[:, None, :]
    sees = (own | (segments[:, None, :] == 0)) & torch.ones(n, n, dtype=torch.bool).tril()
    sees |= torch.eye(n, dtype=torch.bool)
    return torch.zeros(sees.shape, dtype=torch.bfloat16).masked_fill(~sees, float("-inf"))[:, None]


def loss_of(model: torch.nn.Module, core: Nano, batch: batches.Batch) -> Tensor:
    """Mean cross-entropy over the tokens that the model has to write."""
    ids, positions, segments = (torch.from_numpy(a).long() for a in (batch.ids, batch.positions, batch.segments))
    learned = torch.from_numpy(batch.learned)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden = model(ids, positions, masks(segments))
        wanted = learned[:, 1:]
        logits = core.logits(hidden[:, :-1][wanted])
    return F.cross_entropy(logits, ids[:, 1:][wanted])


def _jobs(steps: int, rows: int, length: int) -> list[tuple[int, int, int]]:
    """Every eighth batch has rows as long as the context, so that long chats are known too."""
    long = (max(1, rows * length // CONTEXT), CONTEXT)
    return [(SEED + 10**6 + s * 64, *(long if s % 8 == 7 else (rows, length))) for s in range(steps)]


def _rate(step: int, steps: int) -> float:
    left = (steps - step) / (steps * DECAY)
    return min(1.0, (step + 1) / WARM_UP, left)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2200)
    parser.add_argument("--rows", type=int, default=6)
    parser.add_argument("--length", type=int, default=832)
    parser.add_argument("--rate", type=float, default=0.02)
    parser.add_argument("--out", type=Path, default=WORK)
    parser.add_argument("--init", type=Path, help="start from these weights (a checkpoint) with a fresh schedule")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(SEED)
    torch.set_num_threads(2)
    words = args.out / "tokenizer.json"
    if not words.exists():
        vocabulary(words)
    tokenizer = tokens.load(words)
    shape = Shape(vocab=tokenizer.get_vocab_size(), context=CONTEXT)
    core = Nano(shape)
    matrices = [p for n, p in core.named_parameters() if p.dim() == 2 and "embed" not in n]
    others = [p for n, p in core.named_parameters() if p.dim() != 2 or "embed" in n]
    optimizers = [Muon(matrices, args.rate), torch.optim.AdamW(others, 3e-3, betas=(0.9, 0.98), weight_decay=0.0)]
    bases = [args.rate, 3e-3]
    start, log = 0, args.out / "loss.jsonl"
    state = args.out / "checkpoint.pt"
    if state.exists():
        saved = torch.load(state, weights_only=True)
        core.load_state_dict(saved["model"])
        for o, s in zip(optimizers, saved["optimizers"], strict=True):
            o.load_state_dict(s)
        start = saved["step"]
    elif args.init:
        core.load_state_dict(torch.load(args.init, weights_only=True)["model"])
    model = torch.compile(core, dynamic=False)
    jobs = _jobs(args.steps, args.rows, args.length)[start:]
    began, seen = time.monotonic(), 0
    sys.stderr.write(f"{sum(p.numel() for p in core.parameters()):,} parameters, {asdict(shape)}\n")
    for step, batch in enumerate(batches.stream(words, jobs), start=start):
        for o, base in zip(optimizers, bases, strict=True):
            for group in o.param_groups:
                group["lr"] = base * _rate(step, args.steps)
        loss = loss_of(model, core, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(core.parameters(), 1.0)
        for o in optimizers:
            o.step()
            o.zero_grad(set_to_none=True)
        seen += batch.ids.size
        if step % 10 == 0:
            line = {"step": step, "loss": round(loss.item(), 5), "tokens": seen, "seconds": round(time.monotonic() - began, 1)}
            with log.open("a", encoding="utf-8") as f:
                f.write(json.dumps(line) + "\n")
        if step % 100 == 99 or step == args.steps - 1:
            torch.save({"model": core.state_dict(), "optimizers": [o.state_dict() for o in optimizers], "step": step + 1}, state)
            export(core, tokenizer, args.out / "nano.gguf")
    sys.stderr.write(f"done: {args.out / 'nano.gguf'}\n")


if __name__ == "__main__":
    main()
