"""The benchmark itself: it measures what it says, and its table shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

import bench.__main__ as whole
from bench.clients import gaps
from bench.cold_file import measure_cold_file
from bench.engine import measure
from bench.engine_start import measure_engine_start
from bench.figures import Figure, as_json, as_table, percentile
from bench.starting import measure_starts
from bench.two_clients import measure_two_clients


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


def test_where_no_key_of_a_models_process_can_be_seen_what_asks_them_is_left_out_and_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(whole, "sees_keys", lambda: False)
    monkeypatch.setattr("sys.argv", ["bench", "--quick", "--only", "engine", "--only", "warm"])
    assert whole.main() == 0
    shown = capsys.readouterr()
    assert "Without engine and warm" in shown.err
    assert "per chunk" not in shown.out


def test_a_figure_says_how_many_times_the_direct_one_it_is() -> None:
    assert "x 1.50" in as_table([Figure("swap", "ms", 15.0, 10.0)])
    assert Figure("start", "s", 1.0).ratio is None


def test_the_table_names_what_missed() -> None:
    table = as_table([Figure("swap", "ms", 250.0, 100.0, 100.0), Figure("request", "ms", 1.0, 0.5, 2.0)])
    assert [line.split()[-1] for line in table.splitlines()[1:]] == ["MISSED", "ok"]


def test_gaps_are_between_neighbours() -> None:
    assert gaps([1.0, 1.5, 3.0]) == [0.5, 1.5]


@pytest.mark.slow
@pytest.mark.anyio
async def test_a_short_run_measures_requests_swaps_and_streams(tmp_path: Path) -> None:
    figures = await measure(tmp_path, requests=3, chunks=5, swaps=2)
    assert len(as_json(figures, {})["figures"]) == len(figures) == 14
    assert all(figure.engine > 0 for figure in figures)
    assert all(figure.direct is None or figure.direct > 0 for figure in figures)


@pytest.mark.slow
@pytest.mark.anyio
async def test_two_clients_are_served_by_the_engine_and_in_order_with_the_same_servers(tmp_path: Path) -> None:
    swaps, total, longest = await measure_two_clients(tmp_path, requests=2)
    # In order, two clients that alternate cost a swap for each request but the first.
    assert swaps.direct == 3 and 1 <= swaps.engine <= 3
    assert total.direct and longest.direct and total.engine > 0 and longest.engine > 0


@pytest.mark.slow
@pytest.mark.anyio
async def test_a_swap_to_a_file_that_is_not_in_memory_is_measured_both_ways(tmp_path: Path) -> None:
    (figure,) = await measure_cold_file(tmp_path, runs=1, size=8 * 1024**2)
    assert figure.engine > 0 and figure.direct is not None and figure.direct > 0
    assert not (tmp_path / "cold.gguf").exists()


@pytest.mark.slow
@pytest.mark.anyio
async def test_an_engines_start_and_its_memory_are_measured(tmp_path: Path) -> None:
    start, slowest, resident = await measure_engine_start(tmp_path, runs=1)
    assert start.direct is not None and slowest.engine >= start.engine > start.direct
    assert resident.unit == "MiB" and resident.engine > 1


@pytest.mark.slow
def test_a_start_is_measured_to_the_prompt_and_to_the_answer(tmp_path: Path) -> None:
    figures = measure_starts(tmp_path, runs=1)
    assert [figure.name.split(",")[0] for figure in figures[1:4]] == ["variet chat --demo", "variet chat --demo", "variet ask --demo"]
    # Beside a Python that does nothing: each of them is many times that.
    assert all(figure.direct is not None and figure.engine > figure.direct > 0 for figure in figures)
