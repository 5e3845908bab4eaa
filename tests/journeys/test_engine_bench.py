"""The benchmark itself: it measures what it says, and its table shows it."""

from __future__ import annotations

import pytest

from bench.clients import gaps
from bench.engine import measure
from bench.figures import Figure, as_json, as_table, percentile


@pytest.mark.parametrize(("percent", "value"), [(50, 50), (99, 99), (100, 100), (0, 1)])
def test_a_percentile_is_a_value_that_was_measured(percent: float, value: float) -> None:
    assert percentile(list(range(1, 101)), percent) == value


def test_a_figure_is_held_against_its_target_by_what_the_engine_adds() -> None:
    assert Figure("p50", "ms", engine=3.5, direct=2.0, target=2.0).is_met is True
    assert Figure("p50", "ms", engine=4.5, direct=2.0, target=2.0).is_met is False
    assert Figure("p50", "ms", engine=4.5, direct=2.0).is_met is None


def test_the_table_names_what_missed() -> None:
    table = as_table([Figure("swap", "ms", 250.0, 100.0, 100.0), Figure("request", "ms", 1.0, 0.5, 2.0)])
    assert [line.split()[-1] for line in table.splitlines()[1:]] == ["MISSED", "ok"]


def test_gaps_are_between_neighbours() -> None:
    assert gaps([1.0, 1.5, 3.0]) == [0.5, 1.5]


@pytest.mark.slow
@pytest.mark.anyio
async def test_a_short_run_measures_requests_swaps_and_streams() -> None:
    figures = await measure(requests=3, chunks=5, swaps=2)
    assert len(as_json(figures, {})["figures"]) == len(figures) == 11
    assert all(figure.engine > 0 for figure in figures)
    assert all(figure.direct is None or figure.direct > 0 for figure in figures)
