"""Rates that were measured: kept, served with every name of their model, and only as long as that is the model that was measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from inference.catalog import build_catalog
from inference.contract import ModelRates
from inference.identity import fingerprint
from inference.observing.rates import RateBook
from inference.scheduling.policy import Policy
from tests.inference.engines import RunningEngine, error_of, running, settings, with_files
from tests.inference.test_scheduler_rules import spec

FOUND = {"prefill_tps": 900.0, "decode_tps": 74.65, "load_s": 4.0}


async def rates_of(on: RunningEngine, name: str) -> Any:
    return (await on.client.get(f"/v1/models/{name}")).json()["meta"]["rates"]


async def change_small(on: RunningEngine, folder: Path, **changed: Any) -> None:
    """As a reload does it."""
    models: Mapping[str, Any] = with_files(folder)["models"]
    catalog = build_catalog(settings(models={**models, "small": {**models["small"], **changed}}))
    await on.supervisor.reconfigure(catalog, Policy(catalog.models), frozenset({"small"}))


async def test_measured_rates_are_kept_and_served_with_every_name_of_the_model(tmp_path: Path) -> None:
    async with running(tmp_path) as (on, _, _):
        first = await on.client.post("/engine/rates", json={"model": "balanced", "prefill_tps": 400.0, "load_s": 2.0})
        second = await on.client.post("/engine/rates", json={"model": "large", "decode_tps": 25.5})
        wrong = await on.client.post("/engine/rates", json={"model": "large", "decode_tps": -1})
        listed = {each["id"]: each["meta"]["rates"] for each in (await on.client.get("/v1/models")).json()["data"]}
        book = RateBook(tmp_path / "home" / "state" / "rates.json")
    assert first.json() == {**ModelRates().model_dump(), "prefill_tps": 400.0, "load_s": 2.0}
    assert second.json() == listed["thinker"] == listed["balanced"] == {**first.json(), "decode_tps": 25.5}
    assert listed["fast"] is None
    assert error_of(wrong) == (400, "invalid_request")
    assert [*book.rates.values()] == [ModelRates(prefill_tps=400.0, decode_tps=25.5, load_s=2.0)]


async def test_a_name_that_the_settings_give_to_something_else_has_no_rates_until_that_is_measured(tmp_path: Path) -> None:
    async with running(tmp_path) as (on, _, _):
        await on.client.post("/engine/rates", json={"model": "fast", **FOUND})
        await change_small(on, tmp_path, n_gpu_layers=0)
        unmeasured = await rates_of(on, "fast")
        await change_small(on, tmp_path)
        as_before = await rates_of(on, "fast")
        await change_small(on, tmp_path, n_gpu_layers=0)
        await on.client.post("/engine/rates", json={"model": "fast", "decode_tps": 6.5})
        measured = await rates_of(on, "fast")
    assert unmeasured is None
    assert as_before == {**ModelRates().model_dump(), **FOUND}
    # Nothing of what the other one was measured with has slipped in.
    assert measured == {**ModelRates().model_dump(), "decode_tps": 6.5}


async def test_rates_of_a_model_that_was_changed_while_it_was_measured_are_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as (on, _, _):
        begun = (await on.client.get("/v1/models/fast")).json()["meta"]["fingerprint"]
        await change_small(on, tmp_path, context=9000)
        refused = await on.client.post("/engine/rates", json={"model": "fast", "fingerprint": begun, **FOUND})
        told = await rates_of(on, "fast")
        now = (await on.client.get("/v1/models/fast")).json()["meta"]["fingerprint"]
        taken = await on.client.post("/engine/rates", json={"model": "fast", "fingerprint": now, **FOUND})
    assert error_of(refused) == (400, "invalid_request")
    assert "engine.toml has changed what fast runs" in refused.text
    assert told is None
    assert taken.json()["decode_tps"] == 74.65


@pytest.mark.parametrize(
    "changed",
    [
        {"path": Path("/models/other.gguf")},
        {"context": 9000},
        {"slots": 1},
        {"threads": 2},
        {"n_gpu_layers": 0},
        {"gpus": ()},
        {"cache_type_k": "q8_0"},
        {"draft": Path("/models/draft.gguf")},
        {"extra_args": ("--no-mmap",)},
        {"program": "/opt/llama-server"},
    ],
)
def test_whatever_changes_how_fast_a_model_is_takes_its_rates_away_also_after_a_restart(changed: dict[str, Any], tmp_path: Path) -> None:
    book = RateBook(tmp_path / "rates.json")
    book.record(spec("m"), ModelRates(**FOUND))
    book.save()
    again = RateBook(tmp_path / "rates.json").rates
    assert again[fingerprint(replace(spec("m"), max_tools=3))] == ModelRates(**FOUND)
    assert fingerprint(replace(spec("m"), **changed)) not in again


def test_rates_of_an_earlier_version_which_did_not_say_what_they_are_of_are_read_and_not_told(tmp_path: Path) -> None:
    path = tmp_path / "rates.json"
    path.write_text(json.dumps({"m": FOUND, "new": [fingerprint(spec("new")), FOUND]}), encoding="utf-8")
    assert RateBook(path).rates == {fingerprint(spec("new")): ModelRates(**FOUND)}


@pytest.mark.parametrize("text", ["", "[]", '{"m": ["of it", {"prefill_tps": "fast"}]}', '{"m": ["of it"]}', '{"m": 3}', "\x00"])
def test_a_book_of_rates_that_is_damaged_starts_afresh(text: str, tmp_path: Path) -> None:
    (tmp_path / "rates.json").write_text(text, encoding="utf-8")
    book = RateBook(tmp_path / "rates.json")
    assert book.rates == {}
    book.record(spec("m"), ModelRates(load_s=1.0))
    book.save()
    assert RateBook(tmp_path / "rates.json").rates == {fingerprint(spec("m")): ModelRates(load_s=1.0)}
