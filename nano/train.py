"""Trains the small model from nothing: `python -m nano.train` (vocabulary, weights, loss curve, checkpoints; resumes where it stopped).

The learning rate is constant and falls to nothing in the last part, so that a run can be lengthened. Matrices are stepped by Muon,
which needs about half of the steps that AdamW does here, and the rest by AdamW.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

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
STEPS = 1800
FINISH = 400
FINISH_RATE = 0.001
FINISH_LONGEST = 700
"""After the main steps come these, by AdamW alone, on conversations of at most so many characters: there, most of it is choosing."""
ROWS, LENGTH = 6, 832
"""Of a usual batch: packs, and tokens in each."""
MATRIX_RATE, OTHER_RATE = 0.02, 0.003
LOGGED, SAVED = 10, 100
"""Steps between lines of the loss curve, and between checkpoints."""
DRILLS = range(200, 700)
"""First the forms are learned, then copying is drilled; from the first drill on, what is only read is learned too."""
READ_WEIGHT = 0.3
ACTS_FROM = 1000
CALL_WEIGHT = 4.0
"""From this step on only what it writes is learned, and the tokens of calls count this many times."""
DECAY = 0.4
"""The last part of a run, in which the learning rate falls to nothing."""
WARM_UP = 40


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


class Weights(NamedTuple):
    """How much tokens count: those that the model reads, tells of results, writes in calls, and answers without a call."""

    read: float
    said: float
    called: float
    chose: float


def weights_at(step: int, steps: int) -> Weights:
    """Copying is learned from everything; choosing what to do is learned last, from the few tokens that are a choice."""
    if step < DRILLS.start:
        return Weights(0.0, 1.0, 1.0, 1.0)
    if step < ACTS_FROM:
        return Weights(READ_WEIGHT, 1.0, 1.0, 1.0)
    return Weights(0.0, 1.0, CALL_WEIGHT, 1.0 if step < steps else CALL_WEIGHT)


def loss_of(model: torch.nn.Module, core: Nano, batch: batches.Batch, weights: Weights) -> tuple[Tensor, float]:
    """What is stepped on, and the mean cross-entropy over the tokens that the model has to write.

    Args:
        model: the compiled form of `core`.
        core: the weights.
        batch: what is read and written.
        weights: of the kinds of tokens.
    """
    ids, positions, segments = (torch.from_numpy(a).long() for a in (batch.ids, batch.positions, batch.segments))
    learned = torch.from_numpy(batch.learned)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden = model(ids, positions, masks(segments))
        present = (segments[:, 1:] >= 0) & ((learned[:, 1:] != batches.READ) | (weights.read > 0))
        logits = core.logits(hidden[:, :-1][present])
    every = F.cross_entropy(logits, ids[:, 1:][present], reduction="none")
    kind = learned[:, 1:][present]
    is_written = kind != batches.READ
    scale = torch.tensor(weights)[kind.long()][is_written]
    loss = (every[is_written] * scale).sum() / scale.sum()
    if weights.read:
        loss = loss + weights.read * every[~is_written].mean()
    return loss, every[is_written].mean().item()


def _jobs(steps: int) -> list[batches.Job]:
    """Every eighth batch has rows as long as the context, so that long chats are known too; half of the rows are drills for a while."""
    out: list[batches.Job] = []
    for step in range(steps + FINISH):
        if step >= steps:
            out.append(batches.Job(SEED + 10**6 + step * 64, ROWS, 0, LENGTH, longest=FINISH_LONGEST))
            continue
        rows, length = (ROWS * LENGTH // CONTEXT, CONTEXT) if step % 8 == 7 else (ROWS, LENGTH)
        out.append(batches.Job(SEED + 10**6 + step * 64, rows, ROWS // 2 if step in DRILLS and length == LENGTH else 0, length))
    return out


def _rate(step: int, steps: int) -> float:
    if step >= steps:
        return min((step - steps + 1) / WARM_UP, (steps + FINISH - step) / FINISH)
    left = (steps - step) / (steps * DECAY)
    return min(1.0, (step + 1) / WARM_UP, left)


class Run:
    """Weights, optimizers and how far they have come; all of it is in the checkpoint."""

    def __init__(self, shape: Shape, folder: Path) -> None:
        self.core = Nano(shape)
        self.folder = folder
        self.step = 0
        matrices = [p for n, p in self.core.named_parameters() if p.dim() == 2 and "embed" not in n]
        others = [p for n, p in self.core.named_parameters() if p.dim() != 2 or "embed" in n]
        self.optimizers = (
            Muon(matrices, MATRIX_RATE),
            torch.optim.AdamW(others, OTHER_RATE, betas=(0.9, 0.98), weight_decay=0.0),
            torch.optim.AdamW(self.core.parameters(), FINISH_RATE, betas=(0.9, 0.95), weight_decay=0.0),
        )
        state = folder / "checkpoint.pt"
        if state.exists():
            saved = torch.load(state, weights_only=True)
            self.core.load_state_dict(saved["model"])
            for optimizer, each in zip(self.optimizers, saved["optimizers"], strict=False):
                optimizer.load_state_dict(each)
            self.step = saved["step"]

    def learn(self, model: torch.nn.Module, batch: batches.Batch, rate: float, weights: Weights, *, finishes: bool) -> float:
        """One step; gives its loss."""
        stepped = self.optimizers[2:] if finishes else self.optimizers[:2]
        for optimizer, base in zip(stepped, (FINISH_RATE,) if finishes else (MATRIX_RATE, OTHER_RATE), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = base * rate
        loss, written = loss_of(model, self.core, batch, weights)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.core.parameters(), 1.0)
        for optimizer in stepped:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.step += 1
        return written

    def save(self) -> None:
        """Checkpoint; written beside and moved, so that a kill leaves the old one."""
        beside = self.folder / "checkpoint.new"
        torch.save({"model": self.core.state_dict(), "optimizers": [o.state_dict() for o in self.optimizers], "step": self.step}, beside)
        beside.replace(self.folder / "checkpoint.pt")


def train(folder: Path, steps: int) -> None:
    """Run or go on with a run of `steps`, then export it to `nano.gguf` in the folder."""
    torch.manual_seed(SEED)
    torch.set_num_threads(os.cpu_count() or 1)
    words = folder / "tokenizer.json"
    if not words.exists():
        vocabulary(words)
    tokenizer = tokens.load(words)
    run = Run(Shape(vocab=tokenizer.get_vocab_size(), context=CONTEXT), folder)
    sys.stderr.write(f"{sum(p.numel() for p in run.core.parameters()):,} parameters, {asdict(run.core.shape)}, from step {run.step}\n")
    model = torch.compile(run.core, dynamic=False)
    began = time.monotonic()
    jobs = _jobs(steps)
    seen = sum(job.rows * job.length for job in jobs[: run.step])
    for batch in batches.stream(words, jobs[run.step :]):
        loss = run.learn(model, batch, _rate(run.step, steps), weights_at(run.step, steps), finishes=run.step >= steps)
        seen += batch.ids.size
        if run.step % LOGGED == 1:
            line = {"step": run.step, "loss": round(loss, 5), "tokens": seen, "seconds": round(time.monotonic() - began, 1)}
            with (folder / "loss.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps(line) + "\n")
        if run.step % SAVED == 0 or run.step == steps + FINISH:
            run.save()
    export(run.core, tokenizer, folder / "nano.gguf")
    (folder / "recipe.json").write_text(json.dumps(recipe(run.core, steps), indent=1) + "\n", encoding="utf-8")
    sys.stderr.write(f"done: {folder / 'nano.gguf'}\n")


def recipe(model: Nano, steps: int) -> dict[str, object]:
    """What made the file, for the report."""
    return {
        "seed": SEED,
        "parameters": sum(p.numel() for p in model.parameters()),
        **asdict(model.shape),
        "steps": steps,
        "batch": f"{ROWS} packs of {LENGTH} tokens; every eighth {ROWS * LENGTH // CONTEXT} of {CONTEXT}",
        "drills": f"half of the rows of steps {DRILLS.start} to {DRILLS.stop}",
        "weights": f"steps {DRILLS.start} to {ACTS_FROM}: what is read {READ_WEIGHT}; then calls {CALL_WEIGHT}, and at the end all choices",
        "optimizer": f"Muon {MATRIX_RATE} for matrices, AdamW {OTHER_RATE} for the rest, falling over the last {DECAY:.0%}",
        "finish": f"{FINISH} more steps by AdamW {FINISH_RATE}, falling, on conversations of at most {FINISH_LONGEST} characters",
        "torch": torch.__version__,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--out", type=Path, default=WORK)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    train(args.out, args.steps)


if __name__ == "__main__":
    main()
