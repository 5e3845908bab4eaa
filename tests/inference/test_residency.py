"""Who stays in memory beside whom: the sixteen-gigabyte card of the design as tables, and what must hold for any machine."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.catalog import ModelSpec, PriorityClass
from inference.scheduling.residency import (
    RANK,
    Blocked,
    Evict,
    Fits,
    Impossible,
    Limits,
    Memory,
    Plan,
    account,
    crowd,
    plan,
    share,
    shares_gpu,
)
from tests.inference.test_scheduler_rules import spec

GIB = 1024
NEEDS = {"small": 4, "medium": 9, "medium2": 9, "large": 13, "large2": 13, "ear": 4, "voice": 2, "voice2": 2, "voice3": 2}
KINDS: dict[str, PriorityClass] = {"ear": "asr", "voice": "tts", "voice2": "tts", "voice3": "tts"}
SPECS = {name: replace(spec(name), priority=KINDS.get(name, "llm")) for name in NEEDS}
CARD = Memory({0: 16 * GIB}, {name: gib * GIB for name, gib in NEEDS.items()})


def evicted(found: Plan) -> tuple[str, ...]:
    assert isinstance(found, Fits | Evict), found
    return found.names if isinstance(found, Evict) else ()


@pytest.mark.parametrize(
    ("resident", "target", "goes"),
    [
        # The design's five scenarios.
        (["ear", "small"], "small", ()),
        (["ear", "voice", "small"], "medium", ("small",)),
        (["ear", "voice", "small"], "large", ("small", "voice", "ear")),
        (["large"], "ear", ("large",)),
        (["ear", "small"], "voice", ()),
        # Its checks 16 to 19.
        (["ear", "voice"], "small", ()),
        (["ear", "voice"], "medium", ()),
        (["ear", "voice"], "large", ("voice", "ear")),
        (["medium"], "medium2", ("medium",)),
        # One voice at a time; what is needed goes and no more.
        (["voice", "small"], "voice2", ("voice",)),
        (["large", "voice"], "voice2", ("voice",)),
        (["voice", "medium"], "ear", ()),
        (["voice", "large"], "ear", ("large",)),
    ],
)
def test_the_card_of_the_design(resident: list[str], target: str, goes: tuple[str, ...]) -> None:
    assert evicted(plan(SPECS, resident, target, CARD)) == goes


def test_a_higher_class_is_never_touched_where_the_operator_says_so() -> None:
    never = Limits(evict_higher="never")
    found = plan(SPECS, ["ear", "voice", "small"], "large", CARD, never)
    assert isinstance(found, Blocked)
    assert "3072 MiB on GPU 0" in found.why
    assert evicted(plan(SPECS, ["ear", "voice", "small"], "medium", CARD, never)) == ("small",)
    assert crowd(SPECS, ["ear", "voice", "small"], "large", never) == ("small",)
    assert crowd(SPECS, ["ear", "voice", "small"], "large") == ("small", "voice", "ear")


def test_several_language_models_stay_side_by_side_and_the_first_in_order_goes() -> None:
    two = Limits(max_llm=2)
    assert evicted(plan(SPECS, ["small"], "medium", CARD, two)) == ()
    assert evicted(plan(SPECS, ["medium", "small"], "medium2", CARD, two)) == ("medium",)
    # The first in order is one too many, but then the other has to go for its memory, and the first can stay.
    assert evicted(plan(SPECS, ["small", "medium"], "medium2", CARD, two)) == ("medium",)
    three = Limits(max_llm=3)
    assert evicted(plan(SPECS, ["small", "medium"], "medium2", CARD, three)) == ("medium",)


def test_cards_are_reckoned_apart() -> None:
    cards = Memory({0: 12 * GIB, 1: 12 * GIB}, {"ultra": 11 * GIB, "dense": 16 * GIB, "ear": 4 * GIB, "mouse": 1 * GIB})
    specs = {
        "ultra": replace(spec("ultra"), gpus=(1,)),
        "dense": replace(spec("dense"), gpus=(0, 1)),
        "ear": replace(spec("ear"), gpus=(0,), priority="asr"),
        "mouse": replace(spec("mouse"), gpus=()),
    }
    assert share(specs["dense"], cards) == {0: 8 * GIB, 1: 8 * GIB}
    assert share(replace(specs["dense"], tensor_split=(1, 3)), cards) == {0: 4 * GIB, 1: 12 * GIB}
    assert share(specs["mouse"], cards) == {}
    assert evicted(plan(specs, ["ear"], "ultra", cards)) == ()
    assert evicted(plan(specs, ["ear"], "dense", cards)) == ()
    assert evicted(plan(specs, ["ear", "dense"], "ultra", cards)) == ("dense",)
    assert evicted(plan(specs, ["ultra", "ear"], "dense", cards, Limits(max_llm=2))) == ("ultra",)
    assert isinstance(plan({"ultra": replace(specs["ultra"], gpus=(0,))}, [], "ultra", replace(cards, gpus_mib={0: 8000})), Impossible)
    assert not shares_gpu(specs["ultra"], specs["ear"])
    assert not shares_gpu(specs["mouse"], specs["dense"])
    assert shares_gpu(spec("anywhere"), specs["ear"])


def test_the_reckoning_is_told_in_numbers() -> None:
    assert account(SPECS, ["ear"], "large", CARD) == (
        "By reckoning it needs about 13312 MiB on GPU 0, of which 12288 of 16384 MiB were free."
    )
    assert account(SPECS, ["ear"], "large", Memory()) == ""


@pytest.mark.parametrize(("mib", "fits"), [(27000, True), (35840, True), (35841, False)])
def test_on_cards_of_different_size_a_model_lies_in_proportion_to_them(mib: int, *, fits: bool) -> None:
    both = {"big": replace(spec("big"), gpus=(0, 1)), "any": spec("any")}
    memory = Memory({0: 24064, 1: 11776}, dict.fromkeys(both, mib))
    for name in both:
        assert isinstance(plan(both, [], name, memory), Fits if fits else Impossible)
        assert sum(share(both[name], memory).values()) in (mib, mib + 1)
    # What was measured has fitted.
    known = Memory(memory.gpus_mib, measured_mib={"any": mib})
    assert isinstance(plan(both, [], "any", known), Fits)
    assert all(share(both["any"], known)[gpu] <= total for gpu, total in known.gpus_mib.items())


def test_cards_that_leave_models_nothing_take_none() -> None:
    assert isinstance(plan({"a": spec("a")}, [], "a", Memory({0: 0, 1: 0}, {"a": 10})), Impossible)


ROOM = "where models may take 8000 MiB"
SETTING = "models.a.estimate_mib in engine.toml"


@pytest.mark.parametrize(
    ("told_mib", "text"), [(None, f"{ROOM}; that is reckoned, and {SETTING} corrects it"), (9000, f"as {SETTING} says, {ROOM}")]
)
def test_what_is_too_large_is_told_with_where_its_size_comes_from(told_mib: int | None, text: str) -> None:
    found = plan({"a": replace(spec("a"), estimate_mib=told_mib)}, [], "a", Memory({0: 8000}, {"a": 9000}))
    assert found == Impossible(f"a needs about 9000 MiB on GPU 0, {text}")


@st.composite
def machines(draw: st.DrawFn) -> tuple[dict[str, ModelSpec], list[str], str, Memory, Limits]:
    names = [f"m{number}" for number in range(draw(st.integers(2, 7)))]
    sets = st.sampled_from([None, (0,), (1,), (0, 1), ()])
    specs = {name: replace(spec(name), priority=draw(st.sampled_from(sorted(RANK))), gpus=draw(sets)) for name in names}
    memory = Memory({0: 16, 1: 12}, {name: draw(st.integers(1, 24)) for name in names})
    limits = Limits(draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.sampled_from(["never", "when-needed"])))
    resident: list[str] = []
    for name in draw(st.permutations(names[1:])):
        if isinstance(plan(specs, resident, name, memory, limits), Fits):
            resident.append(name)
    return specs, resident, names[0], memory, limits


def over_full(specs: dict[str, ModelSpec], names: list[str], memory: Memory) -> bool:
    used = {gpu: sum(share(specs[name], memory).get(gpu, 0) for name in names) for gpu in memory.gpus_mib}
    return any(mib > memory.gpus_mib[gpu] for gpu, mib in used.items())


def of(specs: dict[str, ModelSpec], names: list[str], priority: PriorityClass) -> int:
    return sum(specs[name].priority == priority for name in names)


@settings(max_examples=100, deadline=None)
@given(machines())
def test_no_plan_overfills_a_card_or_evicts_in_vain(machine: tuple[dict[str, ModelSpec], list[str], str, Memory, Limits]) -> None:
    specs, resident, target, memory, limits = machine
    found = plan(specs, resident, target, memory, limits)
    if isinstance(found, Impossible):
        assert over_full(specs, [target], memory)
        return
    if isinstance(found, Blocked):
        assert limits.evict_higher == "never"
        lower = [name for name in resident if RANK[specs[name].priority] > RANK[specs[target].priority]]
        assert over_full(specs, [*lower, target], memory)
        return
    going = list(evicted(found))
    staying = [name for name in resident if name not in going]
    after = [*staying, target]
    assert not over_full(specs, after, memory)
    assert of(specs, after, "llm") <= limits.max_llm or specs[target].priority != "llm"
    assert of(specs, after, "tts") <= limits.max_tts or specs[target].priority != "tts"
    # Minimal: of the highest class that goes nobody could have stayed; and lower ones that hold what is missing went before.
    highest = max((RANK[specs[name].priority] for name in going), default=0)
    for name in going:
        if RANK[specs[name].priority] == highest:
            with_it = [*after, name]
            kind = specs[target].priority
            allowed = {"llm": limits.max_llm, "tts": limits.max_tts}.get(kind, 99)
            is_one_too_many = specs[name].priority == kind and of(specs, with_it, kind) > allowed
            assert over_full(specs, with_it, memory) or is_one_too_many
    if limits.evict_higher == "never":
        assert all(RANK[specs[name].priority] <= RANK[specs[target].priority] for name in going)
