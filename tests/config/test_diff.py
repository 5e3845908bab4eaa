"""What a changed `engine.toml` means for what runs: nothing is touched that stayed the same, and nothing that changed is missed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.diff import LIVE_FIELDS, LIVE_SECTIONS, RESTART_SECTIONS, EngineDiff, diff_engines
from config.schema import EngineSettings, ModelSettings

LAUNCHED: tuple[tuple[str, Any], ...] = (
    ("path", "/models/other.gguf"),
    ("context", 8192),
    ("slots", 3),
    ("threads", 7),
    ("n_gpu_layers", 12),
    ("n_cpu_moe", 30),
    ("tensor_split", [1.0, 2.0]),
    ("gpus", [1]),
    ("cache_type_k", "q8_0"),
    ("cache_type_v", "q4_0"),
    ("mmproj", "/models/eye.gguf"),
    ("draft", "/models/draft.gguf"),
    ("extra_args", ["--no-mmap"]),
)
LIVE: tuple[tuple[str, Any], ...] = (
    ("kind", "tts"),
    ("concurrency", 9),
    ("queue_policy", "fail-fast"),
    ("max_stream_s", 60.0),
    ("max_tools", 12),
    ("estimate_mib", 4000),
    ("warm", False),
)
RESTARTED: tuple[tuple[str, Any], ...] = (
    ("server.port", 9000),
    ("server.host", "192.168.1.2"),
    ("server.max_body_mib", 1),
    ("server.container", True),
    ("warmth.max_mib", 1),
    ("activity.enabled", False),
    ("mode.port", 1),
    ("load.hung_s", 9.0),
)
APPLIED: tuple[tuple[str, Any], ...] = (
    ("queue.policy", "fail-fast"),
    ("queue.age_bound_s", 1.5),
    ("stop.drain_s", 1.0),
    ("load.stall_s", 9.0),
    ("residency.max_llm", 2),
)


def engine(models: dict[str, dict[str, Any]] | None = None, **sections: Any) -> EngineSettings:
    given_models = models or {"a": {}, "b": {}}
    whole = {name: {"path": f"/models/{name}.gguf", **model} for name, model in given_models.items()}
    return EngineSettings.model_validate({"models": whole, **sections})


def with_key(key: str, value: Any) -> EngineSettings:
    section, _, name = key.partition(".")
    return engine(**{section: {name: value}})


MODELS = st.dictionaries(
    st.sampled_from("abcdef"),
    st.fixed_dictionaries(
        {},
        optional={
            "context": st.sampled_from([1024, 2048]),
            "warm": st.booleans(),
            "concurrency": st.sampled_from([1, 2]),
            "gpus": st.sampled_from([[0], [0, 1]]),
        },
    ),
    min_size=1,
)


@st.composite
def engines(draw: st.DrawFn) -> EngineSettings:
    models = draw(MODELS)
    tiers = draw(st.dictionaries(st.sampled_from(["fast", "balanced", "ultra"]), st.sampled_from(sorted(models))))
    port = draw(st.sampled_from([8000, 9000]))
    return engine(models, tiers=tiers, server={"port": port}, queue={"limit": draw(st.sampled_from([1, 64]))})


@given(engines())
def test_the_same_settings_change_nothing(settings: EngineSettings):
    same = diff_engines(settings, EngineSettings.model_validate(settings.model_dump(by_alias=True)))
    assert same == EngineDiff(kept=tuple(sorted(settings.models)))
    assert same.is_empty


@given(engines(), engines())
def test_every_model_is_in_exactly_one_group(old: EngineSettings, new: EngineSettings):
    diff = diff_engines(old, new)
    groups = [*diff.kept, *diff.changed, *diff.added, *diff.removed]
    assert sorted(groups) == sorted(old.models.keys() | new.models.keys())


@given(engines(), engines())
def test_back_and_forth_are_each_others_mirror(old: EngineSettings, new: EngineSettings):
    there, back = diff_engines(old, new), diff_engines(new, old)
    assert (there.added, there.removed) == (back.removed, back.added)
    assert (there.kept, there.changed, there.names) == (back.kept, back.changed, back.names)
    assert (there.applied, there.needs_restart) == (back.applied, back.needs_restart)


@given(engines(), engines())
def test_what_differs_is_told(old: EngineSettings, new: EngineSettings):
    assert diff_engines(old, new).is_empty == (old == new)


@pytest.mark.parametrize(("field", "value"), LAUNCHED)
def test_a_model_that_is_started_otherwise_is_changed(field: str, value: Any):
    diff = diff_engines(engine(), engine({"a": {field: value}, "b": {}}))
    assert (diff.kept, diff.changed, diff.applied) == (("b",), ("a",), ())


@pytest.mark.parametrize(("field", "value"), LIVE)
def test_what_only_the_engine_decides_by_leaves_the_process_alone(field: str, value: Any):
    diff = diff_engines(engine(), engine({"a": {field: value}, "b": {}}))
    assert (diff.kept, diff.changed, diff.applied) == (("a", "b"), (), (f"models.a.{field}",))


def test_every_field_of_a_model_was_tried():
    assert {name for name, _ in (*LAUNCHED, *LIVE)} | {"runtime"} == set(ModelSettings.model_fields)
    assert {name for name, _ in LIVE} == LIVE_FIELDS


@pytest.mark.parametrize(("key", "value"), RESTARTED)
def test_what_is_built_once_needs_a_restart(key: str, value: Any):
    diff = diff_engines(engine(), with_key(key, value))
    assert (diff.needs_restart, diff.kept, diff.applied) == ((key,), ("a", "b"), ())


@pytest.mark.parametrize(("key", "value"), APPLIED)
def test_what_is_looked_at_anew_counts_at_once(key: str, value: Any):
    diff = diff_engines(engine(), with_key(key, value))
    assert (diff.applied, diff.needs_restart, diff.changed) == ((key,), (), ())


def test_every_section_is_accounted_for():
    accounted = {*RESTART_SECTIONS, *LIVE_SECTIONS, "models", "tiers", "virtual", "aliases", "runtimes"}
    assert accounted == set(EngineSettings.model_fields)


def test_another_program_replaces_every_model():
    diff = diff_engines(engine(), engine(runtimes={"llama-server": {"binary": "/opt/llama-server"}}))
    assert (diff.kept, diff.changed) == ((), ("a", "b"))


def test_names_that_mean_something_else_are_told_one_by_one():
    old = engine(tiers={"fast": "a"}, virtual={"quick": {"model": "a"}}, aliases={"gpt": "fast"})
    new = engine(tiers={"fast": "b"}, virtual={"quick": {"model": "a", "thinking": False}}, aliases={"gpt": "fast", "o": "b"})
    diff = diff_engines(old, new)
    assert diff.names == ("aliases.o", "tiers.fast", "virtual.quick")
    assert (diff.kept, diff.changed) == (("a", "b"), ())
