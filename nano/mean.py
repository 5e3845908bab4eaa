"""The mean of the weights of two checkpoints of one shape, exported: `python -m nano.mean CHECKPOINT CHECKPOINT --out FILE`.

The recipe in `work/` says so. What the ends of two cycles have learned apart from each other is often nearer to right in the middle.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from torch import Tensor

from nano import tokens
from nano.export import export
from nano.model import Nano, Shape
from nano.train import CONTEXT, WORK


def mean(first: dict[str, Tensor], second: dict[str, Tensor], shape: Shape) -> Nano:
    """A model of this shape whose every weight is the mean of both."""
    model = Nano(shape)
    model.load_state_dict({name: (weight + second[name]) / 2 for name, weight in first.items()})
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoints", type=Path, nargs=2)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    tokenizer = tokens.load(WORK / "tokenizer.json")
    saved = [torch.load(path, weights_only=True) for path in args.checkpoints]
    first, second = (each["model"] for each in saved)
    layers = len({name.split(".")[1] for name in first if name.startswith("blocks.")})
    export(mean(first, second, Shape(vocab=tokenizer.get_vocab_size(), layers=layers, context=CONTEXT)), tokenizer, args.out)
    recipe = WORK / "recipe.json"
    how = json.loads(recipe.read_text(encoding="utf-8")) if recipe.exists() else {}
    how["mean"] = f"of the weights at steps {saved[0]['step']:,} and {saved[1]['step']:,}"
    recipe.write_text(json.dumps(how, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
