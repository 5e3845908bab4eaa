"""RTE-1 to 3: whatever the nodes are like, a decision keeps to privacy, mode and limits, and says why."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from agent.routes.deciding.candidates import asked_by_program
from agent.routes.deciding.nodes import NodeState, TierState
from agent.routes.deciding.routing import Facts, Kept, Route, RoutingRules, Rule, choose, escalate

NAMES = ("fast", "balanced", "deep")
tiers = st.dictionaries(
    st.sampled_from(NAMES),
    st.builds(
        TierState,
        name=st.just(""),
        model=st.sampled_from(("", "a", "b")),
        n_ctx=st.sampled_from((0, 2048, 32_000)),
        is_resident=st.booleans(),
        load_s=st.none() | st.floats(0, 100),
        prefill_tps=st.none() | st.floats(1, 1000),
    ),
    min_size=1,
).map(lambda found: {name: replace(state, name=name) for name, state in found.items()})


def node(name: str) -> st.SearchStrategy[NodeState]:
    return st.builds(
        NodeState,
        name=st.just(name),
        use=st.just("auto") if name == "engine" else st.sampled_from(("auto", "named", "human")),
        is_external=st.just(value=False) if name == "engine" else st.booleans(),
        tiers=tiers,
        main_tier=st.sampled_from(NAMES),
        down=st.sampled_from(("", "refused")),
        is_gaming=st.booleans(),
        spent=st.sampled_from(("", "3 of 3 calls")),
    ).map(lambda made: replace(made, use="named") if made.is_external and made.use == "auto" else made)


allowing_rules = st.builds(
    Rule,
    name=st.sampled_from(("r1", "r2")),
    to=st.lists(st.sampled_from((*NAMES, "n1", "n2", "n1/deep", "nowhere/fast")), min_size=1, max_size=3).map(tuple),
    allow_external=st.booleans(),
)
keepings = st.builds(Kept, st.sampled_from(("engine", "n1")), st.sampled_from(NAMES), st.booleans(), st.sampled_from(("r1", "deeper")))
targets = st.sampled_from((*NAMES, "n1", "n2", "n1/deep", "nowhere/fast"))
rules = st.builds(
    RoutingRules,
    default_tier=st.sampled_from(NAMES),
    force_tier=st.none() | targets,
    tags=st.just({"#deep": "deep", "#one": "n1"}),
    rules=st.lists(allowing_rules, max_size=2).map(tuple),
    ladder=st.just(NAMES),
    network=st.booleans(),
)
facts = st.builds(
    Facts,
    text=st.sampled_from(("hi", "hi #deep", "#one", "#force_big", "#deeper", "research")),
    pinned=st.sampled_from((None, "big", "deeper", "deep", "n2", "n1/fast")),
    served=st.none(),
    nodes=st.tuples(node("engine"), node("n1"), node("n2")),
    forced=st.booleans(),
    turn_tokens=st.sampled_from((0, 5000)),
    kept=st.none() | keepings,
)
BY_PERSON = {"force", "pin-option", "pin-tag", "deeper"}


def _node_of(route: Route, known: Facts) -> NodeState:
    return next(each for each in known.nodes if each.name == route.node)


@given(facts, rules)
def test_a_decision_keeps_to_privacy_mode_and_limits(known: Facts, settings: RoutingRules):
    route = choose(known, settings)
    chosen = _node_of(route, known)
    assert route.reasons
    assert route == choose(known, settings)
    if chosen.is_external:
        allowing = {rule.name for rule in settings.rules if rule.allow_external}
        assert settings.network
        assert route.rule in BY_PERSON or route.rule in allowing or (known.kept is not None and known.kept.rule in allowing)
        assert "outside this house" in route.reasons[-1]
    if chosen.use == "human":
        assert route.rule in BY_PERSON
    is_last_resort = "asked anyway" in route.reasons[-1]
    if chosen.is_gaming and not is_last_resort:
        assert route.rule == "force"
    if not is_last_resort:
        assert not chosen.spent
        assert not chosen.down


@given(facts, rules)
def test_what_a_program_asks_reaches_no_place_for_people_alone(known: Facts, settings: RoutingRules):
    asked = asked_by_program(known)
    routes = [choose(asked, settings), escalate(asked, settings, "calls did not fit")]
    assert all(_node_of(route, known).use != "human" for route in routes if route is not None)


@given(facts, rules)
def test_an_escalation_stays_in_the_house_and_off_what_is_lent_dead_or_spent(known: Facts, settings: RoutingRules):
    route = escalate(known, settings, "calls did not fit")
    if route is not None:
        chosen = _node_of(route, known)
        assert not (chosen.is_external or chosen.is_gaming or chosen.down or chosen.spent)
        assert chosen.use == "auto"
