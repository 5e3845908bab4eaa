"""RTE-2 to 4, 6: the order of the rules over several nodes, what each falls to and why, and the arithmetic of a swap."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agent.events import RouteChosen
from agent.routes.deciding.candidates import asked_by_program, ways_up
from agent.routes.deciding.memory import RouteMemory
from agent.routes.deciding.nodes import NodeState, TierState
from agent.routes.deciding.routing import Facts, Kept, RoutingRules, Rule, choose, escalate

RULES = RoutingRules(
    "fast",
    "big/deep",
    {"#deep": "deep", "#fast": "fast", "#premium": "premium"},
    rules=(
        Rule("long", ("cloud", "deep"), min_tokens=16_000, allow_external=True),
        Rule("coding", ("deep", "balanced"), task="coding", within_s=20),
        Rule("research", ("cloud", "balanced"), task="research"),
    ),
    ladder=("fast", "balanced", "deep"),
    tasks={"coding": ("refactor",), "research": ("research",)},
)


def tier(name: str, **changes: Any) -> TierState:
    values: dict[str, Any] = {"model": f"m-{name}", "n_ctx": 32_000, "prefill_tps": 100.0, "decode_tps": 10.0, **changes}
    return TierState(name, **values)


def nodes(
    *, big: dict[str, Any] | None = None, cloud: dict[str, Any] | None = None, deep: dict[str, Any] | None = None
) -> tuple[NodeState, ...]:
    """A small node, a gated big one, one outside the house, and one for people alone."""
    return (
        NodeState("engine", tiers={"fast": tier("fast"), "balanced": tier("balanced")}),
        NodeState("big", tiers={"deep": tier("deep", **(deep or {}))}, main_tier="deep", **(big or {})),
        NodeState(
            "cloud", "named", is_external=True, tiers={"glm": tier("glm")}, main_tier="glm", price_in=1.0, price_out=2.0, **(cloud or {})
        ),
        NodeState("premium", "human", is_external=True, tiers={"opus": tier("opus")}, main_tier="opus"),
    )


def facts(text: str = "hello", pinned: str | None = None, **changes: Any) -> Facts:
    values: dict[str, Any] = {"nodes": nodes(), **changes}
    return Facts(text, pinned, None, **values)


@pytest.mark.parametrize(
    ("given", "place", "rule"),
    [
        (facts(), "engine/fast", "default"),
        (facts("hi #force_big"), "big/deep", "force"),
        (facts(forced=True), "big/deep", "force"),
        (facts("hi #force_big", nodes=nodes(big={"is_gaming": True})), "big/deep", "force"),
        (facts("hi #force_big", nodes=nodes(big={"down": "refused"})), "engine/fast", "default"),
        (facts("hi #deep"), "big/deep", "pin-tag"),
        (facts("hi #deep", nodes=nodes(big={"is_gaming": True})), "engine/fast", "default"),
        (facts(pinned="deep", nodes=nodes(big={"is_gaming": True})), "engine/fast", "default"),
        (facts(pinned="big"), "big/deep", "force"),
        (facts(pinned="cloud"), "cloud/glm", "pin-option"),
        (facts("hi #premium"), "premium/opus", "pin-tag"),
        (facts("refactor this"), "big/deep", "coding"),
        (facts("refactor this #fast", pinned="fast"), "engine/fast", "pin-option"),
        (facts("refactor this", nodes=nodes(big={"is_gaming": True})), "engine/balanced", "coding"),
        (facts("please research"), "engine/balanced", "research"),
        (facts(history_tokens=20_000), "cloud/glm", "long"),
        (facts(history_tokens=20_000, nodes=nodes(cloud={"spent": "3 of 3 calls"})), "big/deep", "long"),
        (facts("research", task="coding"), "big/deep", "coding"),
        (facts(pinned="deeper"), "engine/balanced", "deeper"),
        (facts("#deeper", kept=Kept("engine", "balanced", is_sticky=False)), "big/deep", "deeper"),
        (facts("#deeper", kept=Kept("big", "deep", is_sticky=True, rule="coding")), "big/deep", "kept"),
        (facts(pinned="deeper", kept=Kept("big", "deep", is_sticky=False)), "big/deep", "kept"),
        (facts("refactor #deeper", kept=Kept("big", "deep", is_sticky=False)), "big/deep", "kept"),
        (
            facts("#deeper", kept=Kept("engine", "balanced", is_sticky=False), nodes=nodes(big={"down": "refused"})),
            "engine/balanced",
            "kept",
        ),
        (facts("#deeper #fast", kept=Kept("big", "deep", is_sticky=False)), "engine/fast", "pin-tag"),
        (facts("#deeper", kept=Kept("cloud", "glm", is_sticky=False)), "engine/fast", "default"),
        (facts("#deeper", kept=Kept("engine", "fast", is_sticky=True, rule="coding", elsewhere=("big", "deep"))), "big/deep", "kept"),
        (facts(kept=Kept("engine", "balanced", is_sticky=True, rule="coding")), "engine/balanced", "kept"),
        (facts(kept=Kept("cloud", "glm", is_sticky=True, rule="long")), "cloud/glm", "kept"),
        (facts(kept=Kept("cloud", "glm", is_sticky=True, rule="taken back")), "engine/fast", "default"),
        (facts(turn_tokens=30_000), "engine/fast", "default"),
    ],
)
def test_the_first_step_of_the_order_that_can_answer_does(given: Facts, place: str, rule: str):
    route = choose(given, RULES)
    assert (f"{route.node}/{route.tier}", route.rule) == (place, rule), route.reasons
    assert route.reasons


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (facts("research"), "cloud/glm is outside this house, and nothing here allows that"),
        (facts(history_tokens=20_000), 'the conversation is sent to cloud, outside this house: the rule "long" allows it'),
        (facts(pinned="deep", nodes=nodes(big={"is_gaming": True})), "the tier was given as an option, but big/deep is lent to a game"),
        (facts("#deep", nodes=nodes(big={"down": "refused"})), "#deep in the text, but big/deep does not answer (refused)"),
        (facts("#deep", needs=frozenset({"vision"}), nodes=nodes(deep={"capabilities": frozenset({"chat"})})), "big/deep cannot do vision"),
    ],
)
def test_what_was_passed_over_is_said(given: Facts, reason: str):
    assert any(reason in each for each in choose(given, RULES).reasons)


@pytest.mark.parametrize(
    ("given", "forces"),
    [(facts("hi #premium"), "big/deep"), (facts(pinned="premium"), "big/deep"), (facts(pinned="premium/opus"), "big/deep"),
     (facts(forced=True), "premium"), (facts("#force_big"), "premium"), (facts(pinned="big"), "premium"),
     (facts("#deeper"), "big/deep"), (facts(pinned="deeper"), "big/deep")],
)  # fmt: skip
def test_a_program_never_reaches_what_answers_people_alone_however_it_asks(given: Facts, forces: str):
    rules = replace(RULES, force_tier=forces, ladder=("fast", "premium"))
    assert choose(given, rules).node == "premium"
    route = choose(asked_by_program(given), rules)
    assert (route.node, route.rule) == ("engine", "default")
    assert any("premium/opus answers a person alone, never a program" in each for each in route.reasons)


@pytest.mark.parametrize(
    ("given", "forces", "did"),
    [(facts(pinned="cloud"), None, "named"), (facts(forced=True), "cloud", "forced"), (facts("#deeper"), None, "asked for")],
)
def test_who_had_a_conversation_sent_outside_is_said_as_it_was(given: Facts, forces: str | None, did: str):
    rules = replace(RULES, force_tier=forces, ladder=("fast", "cloud"))
    sent = "the conversation is sent to cloud, outside this house:"
    assert choose(given, rules).reasons[-1] == f"{sent} a person {did} it"
    assert choose(asked_by_program(given), rules).reasons[-1] == f"{sent} a program {did} it"


def test_answering_now_beats_waiting_for_a_load_and_the_reason_shows_the_sum():
    given = facts("refactor", prompt_tokens=1200, nodes=nodes(deep={"is_resident": False, "load_s": 40.0}))
    route = choose(given, RULES)
    assert (route.tier, route.rule) == ("balanced", "coding")
    assert route.reasons[0] == "big/deep begins in 52.0 s: load 40.0 s + read 12.0 s, and 20 s are allowed"
    assert route.reasons[1].endswith(": balanced (begins in 12.0 s: load 0.0 s + read 12.0 s)")
    assert [(each.name, each.predicted.begins_s if each.predicted else 0) for each in route.alternatives] == [("big/deep", 52.0)]
    assert route.predicted is not None
    assert (route.predicted.begins_s, route.predicted.ends_s) == (12.0, 37.6)


def test_when_none_is_in_time_the_quickest_answers_and_what_was_never_measured_is_not_guessed():
    slow = facts("refactor", prompt_tokens=4000, nodes=nodes(deep={"is_resident": False, "load_s": 90.0}))
    assert choose(slow, RULES).reasons[-1] == "none is in time, so the quickest answers: balanced"
    unknown = facts("refactor", prompt_tokens=4000, nodes=nodes(deep={"prefill_tps": None}))
    assert choose(unknown, RULES).reasons[-1].endswith("big/deep (its reading rate was never measured)")


def test_a_client_in_a_hurry_bounds_every_rule():
    given = facts("research", latency="1s", prompt_tokens=500)
    assert any("begins in 5.0 s" in each and "1 s are allowed" in each for each in choose(given, RULES).reasons)


def test_a_warm_conversation_is_not_read_again_by_the_sum():
    kept = Kept("engine", "balanced", is_sticky=True, rule="coding")
    route = choose(facts("and now?", kept=kept, history_tokens=5000, prompt_tokens=5100), RULES)
    assert route.predicted is not None
    assert route.predicted.read_s == 1.0


def test_a_price_is_predicted_from_what_is_read_and_generated():
    route = choose(facts(pinned="cloud", prompt_tokens=10_000), RULES)
    assert route.predicted is not None
    assert route.predicted.money == pytest.approx((10_000 * 1 + 256 * 2) / 1e6)


def test_an_escalation_climbs_the_ladder_to_another_model_and_never_leaves_the_house():
    given = facts(kept=Kept("engine", "fast", is_sticky=False))
    route = escalate(given, RULES, "3 calls did not fit")
    assert route is not None
    assert (route.tier, route.rule, route.reasons) == ("balanced", "escalation", ("3 calls did not fit: balanced",))
    assert escalate(facts(kept=Kept("big", "deep", is_sticky=True)), RULES, "x") is None
    outside = RULES.__class__(ladder=("fast", "cloud"))
    assert escalate(given, outside, "x") is None


def test_two_names_of_one_model_are_no_step_of_the_ladder():
    twins = (NodeState(tiers={"fast": tier("fast", model="nano"), "balanced": tier("balanced", model="nano")}),)
    assert ways_up(facts(nodes=twins), RULES) == ()


def test_who_asks_for_a_higher_tier_from_one_that_the_ladder_does_not_know_is_answered_there_and_told_why():
    own = (NodeState(tiers={"fast": tier("fast"), "own": tier("own")}),)
    route = choose(facts(pinned="deeper", kept=Kept("engine", "own", is_sticky=False), nodes=own), RULES)
    assert (route.tier, route.rule) == ("own", "kept")
    assert route.reasons == (
        "the next tier was asked for, but there is no tier above this one that another model answers",
        "this conversation stays where it was answered last: own",
    )


@pytest.mark.parametrize(("ladder", "place"), [(("fast", "cloud"), "cloud/glm"), (("fast", "cloud", "deep"), "big/deep")])
def test_a_rung_that_is_named_by_its_node_is_climbed_from_and_not_left_downwards(ladder: tuple[str, ...], place: str):
    here = facts("#deeper", kept=Kept("cloud", "glm", is_sticky=True, rule="deeper"))
    route = choose(here, replace(RULES, ladder=ladder))
    assert (f"{route.node}/{route.tier}", route.rule) == (place, "deeper")
    assert choose(here, replace(RULES, ladder=ladder, network=False)).node != "cloud"


def test_what_is_above_is_reckoned_from_the_last_answer_also_where_that_was_one_message_elsewhere():
    settled = RouteChosen(turn="t-1", tier="fast", model="fast", rule="coding", reasons=(), node="engine")
    pinned = RouteChosen(turn="t-2", tier="balanced", model="balanced", rule="pin-option", reasons=(), node="engine")
    kept = RouteMemory().after(settled).after(pinned).kept(1800)
    assert choose(facts("hi", kept=kept), RULES)[:2] == ("fast", "kept")
    assert choose(facts("hi", pinned="deeper", kept=kept), RULES)[:2] == ("deep", "deeper")


@pytest.mark.parametrize("elsewhere", [("cloud", "glm"), ("engine", "coder")])
def test_where_one_message_went_to_a_place_that_the_ladder_does_not_know_its_home_counts(elsewhere: tuple[str, str]):
    own = NodeState(tiers={name: tier(name) for name in ("fast", "balanced", "coder")})
    kept = Kept("engine", "fast", is_sticky=True, rule="coding", elsewhere=elsewhere)
    given, rules = facts(pinned="deeper", kept=kept, nodes=(own, *nodes()[2:])), replace(RULES, ladder=("fast", "balanced"))
    assert choose(given, rules)[:2] == ("balanced", "deeper")
    twins = replace(own, tiers={name: tier(name, model="nano") for name in ("fast", "balanced")} | {"coder": tier("coder")})
    assert ways_up(given._replace(nodes=(twins, *nodes()[2:])), rules) == ()
    assert ways_up(given._replace(kept=kept._replace(tier="balanced")), rules) == ()


def test_with_tiers_of_ones_own_the_first_of_them_answers_and_not_the_first_of_all_names():
    own = (NodeState(tiers={"small": tier("small"), "large": tier("large"), "a-model": tier("a-model")}, main_tier="small"),)
    assert choose(facts(nodes=own), RULES)[:2] == ("small", "served")
    too_small = tuple(replace(node, tiers={name: replace(each, n_ctx=9) for name, each in (node.tiers or {}).items()}) for node in own)
    assert choose(facts(nodes=too_small, turn_tokens=9000), RULES)[:2] == ("small", "served")


def test_the_only_engine_is_asked_even_if_it_seems_dead_or_too_small():
    alone = (NodeState(tiers=None, down="refused"),)
    assert choose(facts(nodes=alone), RULES)[:2] == ("fast", "default")
    small = (NodeState(tiers={"fast": tier("fast", n_ctx=512)}),)
    assert choose(facts(nodes=small, turn_tokens=9000), RULES)[:2] == ("fast", "default")


def test_what_the_turn_needs_finds_a_tier_that_holds_it():
    room = (NodeState(tiers={"fast": tier("fast", n_ctx=4096), "balanced": tier("balanced")}),)
    route = choose(facts(nodes=room, turn_tokens=9000), RULES)
    assert (route.tier, route.rule) == ("balanced", "served")
    assert route.reasons[0] == "the default tier, but fast holds 4096 tokens, too few for about 9000"


@pytest.mark.parametrize(
    ("tiers", "place"),
    [
        ({"deep": {"is_resident": False}, "light": {}}, "big/light"),
        ({"deep": {}, "light": {}}, "big/deep"),
        ({"deep": {"is_resident": False}, "light": {"is_resident": False}}, "big/deep"),
        ({"deep": {"is_resident": False}, "light": {"unavailable": "no file"}}, "big/deep"),
        ({"gte": {"capabilities": frozenset({"embeddings"})}, "deep": {"is_resident": False}}, "big/deep"),
        ({"auto": {}, "light": {}}, "big/auto"),
    ],
)
def test_what_another_machine_has_loaded_can_be_asked_for(tiers: dict[str, dict[str, Any]], place: str):
    big = NodeState("big", tiers={name: tier(name, **changes) for name, changes in tiers.items()}, main_tier="deep")
    route = choose(facts(pinned="big/auto", nodes=(nodes()[0], big)), RULES)
    assert (f"{route.node}/{route.tier}", route.rule) == (place, "pin-option")
    unknown = NodeState("big", tiers=None, main_tier="deep")
    assert choose(facts(pinned="big/auto", nodes=(nodes()[0], unknown)), RULES).tier == "deep"
