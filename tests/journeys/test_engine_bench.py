"""The benchmark itself: it measures what it says, and its table shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.clients import gaps
from bench.engine import measure
from bench.figures import Figure, as_json, as_table, percentile
from bench.starting import measure_starts


@pytest.mark.parametrize(("percent", "value"), [(50, 50), (99, 99), (100, 100), (0, 1)])
def test_a_percentile_is_a_value_that_was_measured(percent: float, value: float) -> None:
    assert percentile(list(range(1, 101)), percent) == value


def test_a_figure_is_held_against_its_target_by_what_the_engine_adds() -> None:
    assert Figure("p50", "ms", engine=3.5, direct=2.0, target=2.0).is_met is True
    assert Figure("p50", "ms", engine=4.5, direct=2.0, target=2.0).is_met is False
    assert Figure("p50", "ms", engine=4.5, direct=2.0).is_met is None


def test_a_limit_is_for_the_whole_figure_and_a_target_for_what_is_added() -> None:
    assert Figure("start", "s", engine=2.9, direct=0.1, limit=3.0).is_met is True
    assert Figure("start", "s", engine=3.05, direct=0.1, limit=3.0).is_met is False
    assert Figure("start", "s", engine=2.9, direct=0.1, target=2.0, limit=3.0).is_met is False
    assert "whole < 3.00  MISSED" in as_table([Figure("start", "s", engine=3.05, direct=0.1, limit=3.0)])


def test_the_table_names_what_missed() -> None:
    table = as_table([Figure("swap", "ms", 250.0, 100.0, 100.0), Figure("request", "ms", 1.0, 0.5, 2.0)])
    assert [line.split()[-1] for line in table.splitlines()[1:]] == ["MISSED", "ok"]


def test_gaps_are_between_neighbours() -> None:
    assert gaps([1.0, 1.5, 3.0]) == [0.5, 1.5]


@pytest.mark.slow
@pytest.mark.anyio
async def test_a_short_run_measures_requests_swaps_and_streams() -> None:
    figures = await measure(requests=3, chunks=5, swaps=2)
    assert len(as_json(figures, {})["figures"]) == len(figures) == 13
    assert all(figure.engine > 0 for figure in figures)
    assert all(figure.direct is None or figure.direct > 0 for figure in figures)


@pytest.mark.slow
def test_a_start_is_measured_to_the_prompt_and_to_the_answer(tmp_path: Path) -> None:
    figures = measure_starts(tmp_path, runs=1)
    assert [figure.name.split(",")[0] for figure in figures[1:4]] == ["variet chat --demo", "variet chat --demo", "variet ask --demo"]
    # Beside a Python that does nothing: each of them is many times that.
    assert all(figure.direct is not None and figure.engine > figure.direct > 0 for figure in figures)
