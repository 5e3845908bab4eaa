"""Sifts the lines of the banks: which requests does a model answer right already? `python -m nano.sift --model FILE`.

The list goes to `work/learned.txt`, and training draws those lines less often. What a line is filled with is drawn once per line.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer

from agent.view.prompt import SYSTEM_PROMPT
from nano import batches, begins, generate, restore, tokens
from nano.model import Nano

_ROWS = 16
_SHOWN = 5000


def learned(model: Nano, tokenizer: Tokenizer) -> set[str]:
    """The lines whose first act the model writes exactly at temperature 0, in a conversation with all tools."""
    prefix = tokenizer.encode(generate.render([{"role": "system", "content": SYSTEM_PROMPT}], generate.served_tools())).ids
    asked: list[tuple[str, list[int], list[int]]] = []
    for i, (name, line) in enumerate(begins.requests()):
        turns = generate.segments(begins.begun(name, line, i).messages)
        asked.append((line, *batches.turns_of(tokenizer, batches.first_act(turns))))
    asked.sort(key=lambda each: len(each[1]))
    out: set[str] = set()
    for at in range(0, len(asked), _ROWS):
        part = asked[at : at + _ROWS]
        out.update(line for (line, _, _), is_right in zip(part, _right(model, prefix, part), strict=True) if is_right)
        if at % _SHOWN < _ROWS:
            sys.stderr.write(f"{at:,} of {len(asked):,} lines: {len(out):,} learned\n")
    return out


@torch.no_grad()
def _right(model: Nano, prefix: list[int], rows: list[tuple[str, list[int], list[int]]]) -> list[bool]:
    """Whether every token that the model has to write is the likeliest one, per row."""
    longest = max(len(ids) for _, ids, _ in rows)
    ids = torch.tensor([each + [0] * (longest - len(each)) for _, each, _ in rows])
    segments = torch.tensor([[1] * len(each) + [-1] * (longest - len(each)) for _, each, _ in rows])
    positions = torch.arange(len(prefix), len(prefix) + longest)[None].expand(len(rows), -1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        likeliest = model.logits(model(torch.tensor(prefix), ids, positions, segments)).argmax(-1).tolist()
    return [
        all(likeliest[i][j - 1] == each[j] for j, kind in enumerate(kinds) if kind != batches.READ)
        for i, (_, each, kinds) in enumerate(rows)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="an exported file")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("work"))
    args = parser.parse_args()
    begins.write(learned(restore.model_of(args.model), tokens.load(args.out / "tokenizer.json")), args.out)


if __name__ == "__main__":
    main()
