"""Prometheus' text format: metric families as values, and the page that a scraper reads."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = Mapping[str, str]


@dataclass(frozen=True)
class Sample:
    """One number of a family."""

    value: float
    labels: Labels = field(default_factory=dict[str, str])
    suffix: str = ""
    """What a histogram adds to the family's name."""


@dataclass(frozen=True)
class Family:
    """One metric with all its labels."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    text: str
    """What it is, in one line."""
    samples: Sequence[Sample]


@dataclass
class Histogram:
    """Counts of one observed quantity, by upper bounds."""

    bounds: Sequence[float]
    counts: list[int] = field(init=False)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def samples(self, labels: Labels) -> list[Sample]:
        """Its numbers, each bucket with all that is below it, as Prometheus wants them."""
        found: list[Sample] = []
        below = 0
        for bound, count in zip((*self.bounds, math.inf), self.counts, strict=True):
            below += count
            found.append(Sample(below, {**labels, "le": _number(bound)}, "_bucket"))
        return [*found, Sample(self.total, labels, "_sum"), Sample(below, labels, "_count")]


def page(families: Iterable[Family]) -> str:
    """The whole page. A family without a sample is left out."""
    lines: list[str] = []
    for family in families:
        if family.samples:
            lines += [f"# HELP {family.name} {_escaped_text(family.text)}", f"# TYPE {family.name} {family.kind}"]
            lines += [_line(family.name, sample) for sample in family.samples]
    return "\n".join(lines) + "\n"


def _line(name: str, sample: Sample) -> str:
    labels = ",".join(f'{label}="{_escaped_label(value)}"' for label, value in sample.labels.items())
    return f"{name}{sample.suffix}{{{labels}}} {_number(sample.value)}" if labels else f"{name}{sample.suffix} {_number(sample.value)}"


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(round(value, 6))


def _escaped_text(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _escaped_label(value: str) -> str:
    return _escaped_text(value).replace('"', r"\"")
