from __future__ import annotations

import pytest

from agent.routes.deciding.routing import Facts, RoutingRules, choose, without_tags
from agent.routes.deciding.signals import task_of

RULES = RoutingRules("fast", "big", {"#deep": "balanced", "#fast": "fast"})
ALL = frozenset({"fast", "balanced", "big"})


@pytest.mark.parametrize(
    ("facts", "tier", "rule"),
    [
        (Facts("hello", None, ALL), "fast", "default"),
        (Facts("think #deep please", None, ALL), "balanced", "pin-tag"),
        (Facts("deep#deeper #deepest", None, ALL), "fast", "default"),
        (Facts("hello", "balanced", ALL), "balanced", "pin-option"),
        (Facts("hello #fast", "balanced", ALL), "balanced", "pin-option"),
        (Facts("hello #force_big", "fast", ALL), "big", "force"),
        (Facts("hello", "big", ALL), "big", "force"),
        (Facts("hello", None, None), "fast", "default"),
        (Facts("hello #deep", None, None), "balanced", "pin-tag"),
    ],
)
def test_the_first_rule_that_fits_decides(facts: Facts, tier: str, rule: str):
    route = choose(facts, RULES)
    assert (route.tier, route.rule) == (tier, rule)
    assert route.reasons[-1].endswith(f": {tier}")


def test_a_tier_that_is_not_served_falls_softly_to_the_next_rule_and_says_why():
    route = choose(Facts("x #force_big #deep", None, frozenset({"fast"})), RULES)
    assert route.tier == "fast"
    assert route.reasons == (
        '#force_big in the text, but the engine does not serve "big"',
        '#deep in the text, but the engine does not serve "balanced"',
        "the default tier: fast",
    )


def test_forcing_without_a_big_tier_in_the_settings_is_said_and_passed_over():
    route = choose(Facts("#force_big", None, ALL), RoutingRules("fast", None, {}))
    assert route[:3] == ("fast", "default", ("#force_big in the text, but the settings name no big tier", "the default tier: fast"))


def test_when_even_the_default_is_not_served_the_first_served_name_answers():
    route = choose(Facts("x", None, frozenset({"zeta", "alpha"})), RULES)
    assert (route.tier, route.rule) == ("alpha", "served")


def test_an_engine_that_serves_nothing_is_asked_anyway():
    assert choose(Facts("x", None, frozenset()), RULES).tier == "fast"


def test_the_model_does_not_see_tags_but_everything_else_as_it_was_typed():
    assert without_tags("#deep what is\n  on  tomorrow? #1", RULES) == "what is\n  on  tomorrow? #1"
    assert without_tags("  two  spaces ", RULES) == "  two  spaces "


@pytest.mark.parametrize(
    ("text", "task"),
    [
        ("An explanation, please", ""),
        ("Planning the week", "planning"),
        ("the PLAN?", "planning"),
        ("look:```x```", "coding"),
        ("deplan c++ now", "coding"),
        ("请看我的病历吧", "private"),
        ("これは診断書です", "private"),
        ("ใบสั่งยาของฉัน", "private"),
    ],
)
def test_a_word_of_a_type_of_task_counts_where_a_word_of_the_text_begins_with_it(text: str, task: str):
    assert task_of(text, {"planning": ("plan",), "coding": ("```", "c++"), "private": ("病历", "診断", "ยา")}) == task
