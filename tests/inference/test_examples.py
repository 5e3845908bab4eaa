"""The examples that ship are what they say: each loads, and serves the tiers and names of its first lines."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from config.load import load_agent, load_engine
from inference.capabilities import capabilities_of
from inference.catalog import Catalog, build_catalog
from inference.contract import ModelRates
from inference.errors import ModelFailed
from inference.identity import fingerprint
from inference.processes.binaries import missing_runtimes
from inference.scheduling.policy import Policy
from inference.scheduling.schedule import (
    initial,
)
from inference.views import served_models

EXAMPLES = Path(__file__).parent.parent.parent / "docs" / "examples"
SIXTEEN = {
    *(f"{model}-{mode}" for model in ("Qwen3.5-9B-FP8", "Qwen3.5-9B-FP8-Uncensored", "Qwen3.5-4B") for mode in ("Thinking", "Instruct")),
    *(f"GPT-OSS-20B{kind}-{effort}" for kind in ("", "-Uncensored") for effort in ("Low", "Medium", "High")),
    *("cohere-transcribe", "Chatterbox-Turbo", "Chatterbox-Multilingual", "Chatterbox"),
}


def catalog_of(name: str) -> Catalog:
    return build_catalog(load_engine(EXAMPLES / f"{name}.toml", environ={}), missing_runtimes(None))


@pytest.mark.parametrize("example", sorted(path.stem for path in EXAMPLES.glob("*.toml")))
def test_every_example_loads(example: str) -> None:
    assert catalog_of(example).served


def test_the_five_tiers_are_placed_by_what_their_slot_can_do() -> None:
    catalog = catalog_of("five-tiers")
    placed = {name: served.spec.gpus for name, served in catalog.served.items() if served.kind == "tier" and name != "big"}
    assert placed == {"fast": (0, 1), "balanced": (0, 1), "deep-coder": (0, 1), "deep-logic": (0, 1), "ultra": (1,)}
    assert catalog.resolve("ultra").spec.n_cpu_moe
    assert catalog.resolve("big").spec is catalog.resolve("ultra").spec


def test_the_earlier_three_tiers_are_there() -> None:
    catalog = catalog_of("three-tiers")
    assert [name for name, served in catalog.served.items() if served.kind == "tier"] == ["fast", "balanced", "deep"]


@pytest.mark.parametrize("example", ["five-tiers", "three-tiers"])
def test_every_tier_of_a_ladder_is_reached_by_the_routing_that_the_example_gives(example: str, tmp_path: Path) -> None:
    """Where the usual ladder does not do, the example's own comment is the settings that do."""
    text = (EXAMPLES / f"{example}.toml").read_text(encoding="utf-8")
    file = tmp_path / "agent.toml"
    file.write_text("\n".join(re.findall(r"^#   (.*)$", text, re.MULTILINE)), encoding="utf-8")
    routing = load_agent(file, environ={}).routing
    tiers = {name for name, served in catalog_of(example).served.items() if served.kind == "tier"} - {"big"}
    assert tiers <= set(routing.ladder)
    assert set(routing.tags.values()) <= tiers
    assert routing.tags["#deep"] == ("deep" if "deep" in tiers else "balanced")


def test_the_sixteen_names_lead_to_nine_models() -> None:
    catalog = catalog_of("sixteen-names")
    assert len(SIXTEEN) == 16
    assert catalog.served.keys() >= SIXTEEN
    assert len({catalog.known(name).spec.name for name in SIXTEEN}) == len(catalog.models) == 9
    classes = {
        spec.priority: [each.name for each in catalog.models.values() if each.priority == spec.priority] for spec in catalog.models.values()
    }
    assert {kind: len(names) for kind, names in classes.items()} == {"llm": 5, "asr": 1, "tts": 3}


def test_what_has_no_runtime_is_listed_with_the_reason_and_refused_before_anything_is_unloaded() -> None:
    catalog = catalog_of("sixteen-names")
    listed = {each.id: each.meta for each in served_models(catalog, initial(Policy(catalog.models))).data}
    there = {name for name in SIXTEEN if listed[name].available}
    assert there == {"Qwen3.5-9B-FP8-Uncensored-Thinking", "Qwen3.5-9B-FP8-Uncensored-Instruct"}
    assert "`chatterbox`" in (listed["Chatterbox"].reason or "")
    with pytest.raises(ModelFailed, match=r"Chatterbox is not available: .*`chatterbox`") as refusal:
        catalog.resolve("Chatterbox")
    assert refusal.value.headers() == {"X-Should-Retry": "false"}


def test_capabilities_say_what_the_settings_allow() -> None:
    catalog = catalog_of("sixteen-names")
    offered = {name: capabilities_of(catalog, catalog.known(name)) for name in SIXTEEN}
    assert offered["Qwen3.5-9B-FP8-Uncensored-Thinking"] == ("chat", "tools", "vision", "thinking")
    assert offered["Qwen3.5-9B-FP8-Uncensored-Instruct"] == ("chat", "tools", "vision")
    assert offered["GPT-OSS-20B-Low"] == ("chat", "tools", "thinking")
    assert offered["cohere-transcribe"] == ("transcription",)
    assert offered["Chatterbox"] == ("speech",)


def test_measured_rates_are_listed_with_every_name_of_their_model() -> None:
    catalog = catalog_of("five-tiers")
    rates = {fingerprint(catalog.models["gemma4-31b"]): ModelRates(decode_tps=16.0)}
    listed = {each.id: each.meta.rates for each in served_models(catalog, initial(Policy(catalog.models)), rates).data}
    assert {name for name, rate in listed.items() if rate} == {"deep-coder", "coder", "gemma4-31b"}
