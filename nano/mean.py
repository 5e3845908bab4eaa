"""The mean of files' weights, as a file: `python -m nano.mean --out FILE A.gguf B.gguf=2 ...` (here the second counts twice).

The ends of training's cycles lie around what they have in common, each off by the noise of its last steps; the mean of several is nearer
to it than any of them, and costs no step.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from torch import Tensor

from nano.export import export
from nano.model import Nano
from nano.restore import model_of, vocabulary_of


def mean_of(models: list[tuple[Nano, float]]) -> Nano:
    """One model whose weights are the weighted mean of all; the first is changed into it.

    Args:
        models: of one shape, each with how much it counts.

    Raises:
        ValueError: their shapes differ, or what they count is not positive.
    """
    shapes = {model.shape for model, _ in models}
    if len(shapes) != 1:
        raise ValueError(f"models of {len(shapes)} shapes have no mean")
    if not all(counts > 0 for _, counts in models):
        raise ValueError("each has to count something")
    every = sum(counts for _, counts in models)
    weights: dict[str, Tensor] = {}
    for model, counts in models:
        for name, weight in model.state_dict().items():
            weights[name] = weights.get(name, 0) + weight * (counts / every)
    first = models[0][0]
    first.load_state_dict(weights)
    return first


def _told(said: str) -> tuple[Path, float]:
    path, is_counted, counts = said.rpartition("=")
    try:
        return (Path(path), float(counts)) if is_counted else (Path(said), 1.0)
    except ValueError:
        # A name may hold the sign, too: runs/lr=0.001/a.gguf.
        return Path(said), 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=_told, metavar="FILE[=COUNTS]")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    files: list[tuple[Path, float]] = args.files
    words = [vocabulary_of(path) for path, _ in files]
    if any(each.get_vocab() != words[0].get_vocab() for each in words):
        parser.error("the files have different vocabularies")
    try:
        mean = mean_of([(model_of(path), counts) for path, counts in files])
    except ValueError as error:
        parser.error(str(error))
    export(mean, words[0], args.out)


if __name__ == "__main__":
    main()
