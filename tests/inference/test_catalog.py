"""What can be asked for, out of the settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from config.schema import EngineSettings
from inference.capabilities import capabilities_of
from inference.catalog import BUILTIN_FILE, build_catalog
from inference.errors import CatalogRefused, ModelNotFound
from tests.inference.engines import settings


def test_tiers_virtual_models_models_and_aliases_lead_to_physical_models() -> None:
    catalog = build_catalog(settings(aliases={"gpt-4": "thinker"}))
    found = {name: (served.kind, served.spec.name) for name, served in catalog.served.items()}
    assert found == {
        "fast": ("tier", "small"),
        "balanced": ("tier", "large"),
        "thinker": ("virtual", "large"),
        "small": ("model", "small"),
        "large": ("model", "large"),
        "gpt-4": ("virtual", "large"),
    }
    assert catalog.resolve("gpt-4").virtual.thinking is True
    assert catalog.default == "fast"
    assert catalog.tiers_of("small") == ("fast",)


def test_without_settings_the_model_that_ships_serves_two_tiers() -> None:
    catalog = build_catalog(EngineSettings())
    assert {served.spec.path for served in catalog.served.values()} == {BUILTIN_FILE}
    assert catalog.resolve("fast").spec.slots < catalog.resolve("balanced").spec.slots


def test_an_unknown_name_is_answered_with_what_there_is() -> None:
    with pytest.raises(ModelNotFound, match="balanced, fast, large, small, thinker"):
        build_catalog(settings()).resolve("nothing")


@pytest.mark.parametrize("argument", ["--port", "--port=1", "-m", "--ctx-size=9", "--api-key"])
def test_a_flag_that_the_engine_sets_itself_is_refused(argument: str) -> None:
    models: dict[str, Any] = {"m": {"path": "/m.gguf", "extra_args": [argument]}}
    with pytest.raises(CatalogRefused, match=r"models\.m\.extra_args"):
        build_catalog(EngineSettings.model_validate({"models": models}))


def test_a_model_admits_as_many_requests_as_it_has_slots_unless_told() -> None:
    models: dict[str, Any] = {"a": {"path": "/a.gguf", "slots": 3}, "b": {"path": "/b.gguf", "slots": 3, "concurrency": 1}}
    catalog = build_catalog(EngineSettings.model_validate({"models": models}))
    assert (catalog.models["a"].admitted, catalog.models["b"].admitted) == (3, 1)
    assert catalog.models["a"].path == Path("/a.gguf")


def test_a_models_class_and_bounds_come_from_its_settings() -> None:
    bounds = {"kind": "tts", "queue_policy": "fail-fast", "max_stream_s": 9.0, "estimate_mib": 2048, "warm": False}
    spec = build_catalog(EngineSettings.model_validate({"models": {"m": {"path": "/m.gguf", **bounds}}})).models["m"]
    assert (spec.priority, spec.queue_policy, spec.max_stream_s, spec.estimate_mib, spec.warm) == ("tts", "fail-fast", 9.0, 2048, False)


@pytest.mark.parametrize(("argument", "offered"), [("--embeddings", "embeddings"), ("--reranking", "rerank")])
def test_a_model_that_is_started_for_one_thing_offers_nothing_else(argument: str, offered: str) -> None:
    catalog = build_catalog(EngineSettings.model_validate({"models": {"m": {"path": "/m.gguf", "extra_args": [argument]}}}))
    assert capabilities_of(catalog, catalog.known("m")) == (offered,)
