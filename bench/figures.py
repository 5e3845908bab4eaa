"""One measured figure beside its direct counterpart and its target, and the table and JSON that show them. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """What something costs with the engine, without it, and by how much that may differ."""

    name: str
    unit: str
    engine: float
    """Through the engine."""
    direct: float | None = None
    """The same work in the same run without it; None where there is nothing to compare with."""
    target: float | None = None
    """What the difference (or, without a direct figure, the figure itself) is to stay under."""
    limit: float | None = None
    """What the figure itself is to stay under, whatever it costs without us."""

    @property
    def added(self) -> float:
        """What the engine adds."""
        return self.engine if self.direct is None else self.engine - self.direct

    @property
    def ratio(self) -> float | None:
        """How many times the direct figure it is."""
        return self.engine / self.direct if self.direct else None

    @property
    def is_met(self) -> bool | None:
        """Whether target and limit are met; None without either."""
        held = [value < bound for value, bound in ((self.added, self.target), (self.engine, self.limit)) if bound is not None]
        return all(held) if held else None


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that `percent` of all do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(1, math.ceil(percent / 100 * len(ordered))) - 1]


def as_json(figures: Sequence[Figure], circumstances: dict[str, Any]) -> dict[str, Any]:
    """Everything that was measured, for programs."""
    return {
        "circumstances": circumstances,
        "figures": [{**asdict(figure), "added": figure.added, "ratio": figure.ratio, "is_met": figure.is_met} for figure in figures],
    }


def as_table(figures: Sequence[Figure]) -> str:
    """Everything that was measured, for people."""
    rows = [("", "unit", "direct", "with us", "added", "ratio", "target", "")]
    for figure in figures:
        verdict = {True: "ok", False: "MISSED", None: ""}[figure.is_met]
        rows.append(
            (
                figure.name,
                figure.unit,
                _number(figure.direct),
                _number(figure.engine),
                _number(figure.added),
                "" if figure.ratio is None else f"x {_number(figure.ratio)}",
                _bounds(figure),
                verdict,
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(_line(row, widths) for row in rows)


def _bounds(figure: Figure) -> str:
    """A target is for what is added; a limit, which is for the whole, says so."""
    target = [] if figure.target is None else [f"< {_number(figure.target)}"]
    limit = [] if figure.limit is None else [f"whole < {_number(figure.limit)}"]
    return ", ".join(target + limit)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        row[0].ljust(widths[0]),
        row[1].ljust(widths[1]),
        *(cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)),
    ]
    return "  ".join(cells).rstrip()


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.2f}"
