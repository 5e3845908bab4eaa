"""Trains the small model from nothing: `python -m nano.train` (vocabulary, weights, loss curve, checkpoints; resumes where it stopped).

It learns first acts (which tool, with which arguments, or what to ask) before whole conversations, and copying before both. Matrices
are stepped by Muon, which needs fewer steps than AdamW here, and the rest by AdamW.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from nano import batches, generate, grammar, learned, progress, restore, schedule, tokens
from nano.export import export
from nano.model import Nano, Shape, deeper

WORK = Path(__file__).with_name("work")
PIECES = 700
SPACED_WORDS = 120
CONTEXT = 2048
"""The longest conversation that it is trained on, in tokens."""
VOCABULARY_PACKS = 1500
"""Packs read to learn the vocabulary."""
MATRIX_RATE, OTHER_RATE = 0.01, 0.002
LOGGED, SAVED, CHECKED = 10, 100, 400
"""Steps between lines of the loss curve, between checkpoints, and between checks on held-out conversations."""
SAID_WEIGHT = 0.5
"""How much a token that tells a result counts beside one that is part of a choice; what is only read counts nothing."""


def vocabulary(path: Path) -> None:
    """Learn the pieces once from generated text."""
    texts: list[str] = []
    for seed in range(VOCABULARY_PACKS):
        pack = generate.pack(schedule.SEED + seed, chars=3000)
        texts.append(pack.prefix if seed % 10 == 0 else "")
        texts += [t for turns in pack.dialogues for t, _ in turns]
    plain = [part for t in texts for part in _without_special(t)]
    tokens.save(tokens.train(plain, pieces=PIECES, spaced_words=SPACED_WORDS), path)


def _without_special(text: str) -> list[str]:
    for mark in tokens.CONTROL + tokens.VISIBLE:
        text = text.replace(mark, "\0")
    return text.split("\0")


def _orthogonal(g: Tensor) -> Tensor:
    """Newton-Schulz on a stack (n, rows, columns): the nearest matrices with singular values of about one."""
    x = g.bfloat16()
    if flip := x.size(1) > x.size(2):
        x = x.transpose(1, 2)
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(5):
        a = x @ x.transpose(1, 2)
        # 3.4445 x + (2.0315 a a - 4.7750 a) x, in two calls: apart, the sums took a quarter of the time.
        x = torch.baddbmm(x, torch.baddbmm(a, a, a, beta=-4.7750, alpha=2.0315), x, beta=3.4445)
    return (x.transpose(1, 2) if flip else x).to(g.dtype)


class Muon(torch.optim.Optimizer):
    """Momentum whose update is made orthogonal; for matrices only. Those of one size are stepped together."""

    def __init__(self, params: list[torch.nn.Parameter], lr: float, momentum: float = 0.95, decay: float = 0.01) -> None:
        by_size: dict[torch.Size, list[torch.nn.Parameter]] = {}
        for p in params:
            by_size.setdefault(p.shape, []).append(p)
        super().__init__([{"params": same} for same in by_size.values()], {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # torch's own signature is an overload
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            gradients = torch.stack([p.grad for p in params])
            buffer = self.state[params[0]].setdefault("m", torch.zeros_like(gradients))
            buffer.lerp_(gradients, 1 - group["momentum"])
            updates = _orthogonal(gradients.lerp(buffer, group["momentum"]))
            for p, update in zip(params, updates, strict=True):
                p.mul_(1 - group["lr"] * group["decay"])
                p.add_(update, alpha=-group["lr"] * max(1.0, p.size(0) / p.size(1)) ** 0.5)


def loss_of(model: Nano, batch: batches.Batch) -> tuple[Tensor, float, dict[str, bool]]:
    """What is stepped on, the mean cross-entropy over the tokens that the model has to write, and which lines it answered right."""
    prefix, ids, positions, segments, kinds = progress.tensors(batch)
    wanted = kinds[:, 1:]
    is_written = wanted != batches.READ
    logits = model.logits(model(prefix, ids, positions, segments, torch.bfloat16)[:, :-1][is_written])
    every = F.cross_entropy(logits, ids[:, 1:][is_written], reduction="none")
    scale = torch.where(wanted[is_written] == batches.SAID, SAID_WEIGHT, 1.0)
    is_wrong = torch.zeros_like(ids, dtype=torch.bool)
    is_wrong[:, 1:][is_written] = logits.argmax(-1) != ids[:, 1:][is_written]
    answered = {a.line: not is_wrong[a.row, a.begin : a.end].any().item() for a in batch.asked}
    return (every * scale).sum() / scale.sum(), every.mean().item(), answered


class Run:
    """Weights, optimizers, how far they have come, and the lines of the banks that were answered right when they came last.

    All but the lines is in the checkpoint; they are beside it.
    """

    def __init__(self, shape: Shape, folder: Path, begin: tuple[Nano, int] | None = None) -> None:
        """`begin`: a model that is there already and the step it came to; used where the folder holds no checkpoint."""
        self.folder = folder
        self.known = learned.read(folder)
        self.step = 0
        self.seen = 0
        self.seconds = 0.0
        state = folder / "checkpoint.pt"
        if not state.exists():
            model, self.step = begin or (Nano(replace(shape, layers=schedule.layers(0))), 0)
            self._take(model)
            return
        saved = torch.load(state, weights_only=True)
        self.step, self.seen, self.seconds = saved["step"], saved["seen"], saved["seconds"]
        # A checkpoint of the step at which the model gets deeper holds the one before it.
        self._take(Nano(replace(shape, layers=schedule.layers(self.step - 1))))
        self.model.load_state_dict(saved["model"])
        for optimizer, each in zip(self.optimizers, saved["optimizers"], strict=True):
            optimizer.load_state_dict(each)

    def _take(self, model: Nano) -> None:
        matrices = [p for n, p in model.named_parameters() if p.dim() == 2 and "embed" not in n]
        others = [p for n, p in model.named_parameters() if p.dim() != 2 or "embed" in n]
        self.model = model
        self.optimizers = (
            Muon(matrices, MATRIX_RATE),
            torch.optim.AdamW(others, OTHER_RATE, betas=(0.9, 0.98), weight_decay=0.0, fused=True),
        )

    def deepen(self) -> None:
        """Add the layers that this step brings; what the optimizers remember begins anew."""
        if (wanted := schedule.layers(self.step)) != self.model.shape.layers:
            self._take(deeper(self.model, wanted))

    def learn(self, batch: batches.Batch, rate: float) -> float:
        """One step; gives its loss."""
        for optimizer, base in zip(self.optimizers, (MATRIX_RATE, OTHER_RATE), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = base * rate
        loss, written, answered = loss_of(self.model, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.known |= {line for line, is_right in answered.items() if is_right}
        self.known -= {line for line, is_right in answered.items() if not is_right}
        self.step += 1
        self.seen += int((batch.segments >= 0).sum())
        return written

    def save(self) -> None:
        """Checkpoint; written beside and moved, so that a kill leaves the old one."""
        beside = self.folder / "checkpoint.new"
        state = {"model": self.model.state_dict(), "optimizers": [o.state_dict() for o in self.optimizers]}
        torch.save({**state, "step": self.step, "seen": self.seen, "seconds": self.seconds}, beside)
        beside.replace(self.folder / "checkpoint.pt")
        learned.write(self.known, self.folder)


def train(folder: Path, steps: int, begin: Path | None = None, at: int = 0) -> None:
    """Run or go on with a run of `steps`, then export it to `nano.gguf` in the folder.

    Args:
        folder: of the checkpoint; without one, the run begins anew or with `begin`.
        steps: in all.
        begin: an exported file whose weights and vocabulary are where the run begins.
        at: the step that it came to.
    """
    torch.manual_seed(schedule.SEED)
    words = folder / "tokenizer.json"
    if begin and not words.exists():
        tokens.save(restore.vocabulary_of(begin), words)
    elif not words.exists():
        vocabulary(words)
    tokenizer = tokens.load(words)
    run = Run(Shape(vocab=tokenizer.get_vocab_size(), context=CONTEXT), folder, (restore.model_of(begin), at) if begin else None)
    begun = folder / "begun.txt"
    if begin and not begun.exists():
        begun.write_text(f"at step {at} with the weights of {begin.name} in eight bits, the optimizers anew", encoding="utf-8")
    sys.stderr.write(f"{sum(p.numel() for p in run.model.parameters()):,} parameters, {asdict(run.model.shape)}, from step {run.step}\n")
    held = progress.held_out(words)
    began = time.monotonic() - run.seconds
    losses: list[float] = []
    easy = frozenset[str]()
    in_sight = frozenset(line for name in schedule.IN_SIGHT for line in grammar.lines(name))
    # Batches are made here: a process beside would halve the speed, because the threads wait for each other.
    for job in schedule.jobs(steps)[run.step :]:
        run.deepen()
        is_sifted = run.step >= schedule.SIFTED and not any(a <= run.step < b for a, b in schedule.UNSIFTED)
        if not is_sifted:
            easy = frozenset[str]()
        elif run.step % LOGGED == 0 or not easy:
            easy = run.known - in_sight if run.step >= schedule.IN_SIGHT_AT else frozenset(run.known)
        losses.append(run.learn(batches.batch(str(words), job, easy), schedule.rate(run.step)))
        run.seconds = time.monotonic() - began
        if run.step % LOGGED == 0:
            line: dict[str, object] = {"step": run.step, "loss": round(sum(losses) / len(losses), 5), "tokens": run.seen}
            line["seconds"] = round(run.seconds, 1)
            if run.step % CHECKED == 0:
                line["exact"] = progress.exact(run.model, held)
                sys.stderr.write(f"{json.dumps(line)}\n")
            losses.clear()
            with (folder / "loss.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps(line) + "\n")
        if run.step % SAVED == 0 or run.step == steps:
            run.save()
    export(run.model, tokenizer, folder / "nano.gguf")
    how = {"began": begun.read_text(encoding="utf-8")} if begun.exists() else {}
    (folder / "recipe.json").write_text(json.dumps({**recipe(run.model, steps), **how}, indent=1) + "\n", encoding="utf-8")
    sys.stderr.write(f"done: {folder / 'nano.gguf'}\n")


def recipe(model: Nano, steps: int) -> dict[str, object]:
    """What made the file, for the report."""
    return {
        "seed": schedule.SEED,
        "parameters": sum(p.numel() for p in model.parameters()),
        **asdict(model.shape),
        "steps": steps,
        "weights": f"what is read 0, what tells a result {SAID_WEIGHT}, choices 1",
        "optimizer": f"Muon {MATRIX_RATE} for matrices, AdamW {OTHER_RATE} for the rest",
        **schedule.told(),
        "torch": torch.__version__,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=schedule.STEPS)
    parser.add_argument("--out", type=Path, default=WORK)
    parser.add_argument("--begin", type=Path, help="an exported file to go on from where there is no checkpoint")
    parser.add_argument("--at", type=int, default=0, help="the step that this file came to")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    train(args.out, args.steps, args.begin, args.at)


if __name__ == "__main__":
    main()
