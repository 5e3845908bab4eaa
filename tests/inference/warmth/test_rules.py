"""ENG-14: who has which slot, when a restore has worked, and what is kept on disk; all of it decided without a server."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.warmth import records, slots
from inference.warmth.records import Ledger, Saved
from inference.warmth.slots import Table
from inference.warmth.trail import Counted, Mark, continues, counted, mark_of, trail_of

HEAD = {"model": "fast", "tools": [{"name": "act"}]}
TURNS = [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}, {"role": "user", "content": "three"}]


def body(turns: int, **changes: Any) -> dict[str, Any]:
    return {**HEAD, "messages": TURNS[:turns], **changes}


def held(turns: int, tokens: int = 100, **changes: Any) -> Mark | None:
    return mark_of(trail_of(body(turns, **changes)), Counted(tokens, 0))


def taken(table: Table, session: str, request: str, turns: int = 1) -> slots.Taken:
    return slots.take(table, session, request, trail_of(body(turns)))


def answered(table: Table, session: str, request: str, turns: int = 1) -> Table:
    return slots.give_back(taken(table, session, request, turns).table, request, held(turns))


# --- slots ------------------------------------------------------------------------------------------------------------------------------


def test_a_conversation_keeps_its_slot() -> None:
    table = slots.empty(2)
    table = answered(table, "a", "1")
    table = answered(table, "b", "2")
    assert [slots.slot_of(table, name) for name in "ab"] == [0, 1]
    assert taken(table, "a", "3").slot == 0


def test_a_new_conversation_gets_the_slot_that_was_used_least_recently() -> None:
    table = slots.empty(2)
    for request, session in enumerate("aba"):
        table = answered(table, session, str(request))
    assert taken(table, "c", "x").slot == 1


def test_a_slot_that_runs_is_left_alone_while_another_is_free() -> None:
    table = taken(slots.empty(2), "a", "1").table
    table = answered(table, "b", "2")
    assert taken(table, "c", "3").slot == 1


def test_a_request_that_is_over_twice_does_no_harm() -> None:
    table = answered(slots.empty(1), "a", "1")
    assert slots.give_back(table, "1", None) == table


def test_what_is_to_be_saved_is_what_was_used_since_it_was_saved_the_latest_first() -> None:
    table = slots.restored(slots.empty(3), 0, "old", held(1))
    for request, session in enumerate("ab"):
        table = answered(table, session, str(request))
    assert [(slot, session) for slot, session, _ in slots.to_save(table)] == [(2, "b"), (1, "a")]


def test_a_forgotten_conversation_is_not_saved() -> None:
    table = slots.without(answered(slots.empty(2), "a", "1"), "a")
    assert list(slots.to_save(table)) == []
    assert slots.slot_of(table, "a") is None


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.booleans()), max_size=40), st.integers(1, 4))
def test_no_two_conversations_share_a_slot_and_none_has_two(asked: list[tuple[str, bool]], count: int) -> None:
    table = slots.empty(count)
    for request, (session, ends) in enumerate(asked):
        step = taken(table, session, str(request))
        assert slots.slot_of(step.table, session) == step.slot
        table = slots.give_back(step.table, str(request), None) if ends else step.table
    there = [seat.session for seat in table.seats if seat.session]
    assert len(there) == len(set(there))


# --- whether a restore is to be seen ----------------------------------------------------------------------------------------------------


def test_the_first_request_that_continues_what_was_restored_is_expected_to_be_spared_it() -> None:
    table = slots.restored(slots.empty(2), 1, "a", held(1, tokens=90))
    first = taken(table, "a", "1", turns=3)
    assert (first.slot, first.expected) == (1, 90)
    table = slots.give_back(first.table, "1", held(3))
    assert taken(table, "a", "2", turns=3).expected is None


def test_a_request_that_begins_differently_proves_nothing() -> None:
    table = slots.restored(slots.empty(1), 0, "a", held(1))
    other = slots.take(table, "a", "1", trail_of(body(1, tools=[])))
    assert other.expected is None


def test_after_a_request_without_a_conversation_nothing_is_certain() -> None:
    table = slots.disturb(slots.restored(slots.empty(1), 0, "a", held(1)))
    assert taken(table, "a", "1").expected is None


@pytest.mark.parametrize(
    ("changes", "holds"),
    [({}, True), ({"temperature": 0.1}, True), ({"tools": []}, False), ({"messages": TURNS[1:]}, False), ({"messages": TURNS[:1]}, False)],
)
def test_a_prompt_continues_another_when_it_begins_with_it(changes: dict[str, Any], holds: bool) -> None:
    assert continues(held(2), trail_of({**body(3), **changes})) is holds


def test_a_request_without_turns_leaves_no_trail() -> None:
    assert trail_of({"content": "x"}) is None
    assert trail_of({"messages": []}) is None


@pytest.mark.parametrize(
    ("usage", "timings", "found"),
    [
        ({}, {"cache_n": 90, "prompt_n": 10}, Counted(100, 90)),
        ({"input_tokens": 100, "input_tokens_details": {"cached_tokens": 90}}, {}, Counted(100, 90)),
        ({"input_tokens": 10, "cache_read_input_tokens": 90}, {}, Counted(100, 90)),
        ({"prompt_tokens": 5}, {}, None),
        ({}, {"cache_n": True, "prompt_n": 1}, None),
    ],
)
def test_prompt_and_cache_are_read_from_each_protocols_end(usage: dict[str, Any], timings: dict[str, Any], found: Counted | None) -> None:
    assert counted(usage, timings) == found


@pytest.mark.parametrize(
    ("cached", "verdict"), [(200, "verified"), (197, "verified"), (196, "partly"), (99, "partly"), (98, "unsupported"), (0, "unsupported")]
)
def test_99_percent_is_a_restore_and_less_than_half_is_none(cached: int, verdict: str) -> None:
    assert records.judge(200, Counted(240, cached)) == verdict


def test_the_one_token_that_is_always_read_is_not_held_against_a_short_prompt() -> None:
    assert records.judge(8, Counted(8, 7)) == "verified"


# --- what is kept -----------------------------------------------------------------------------------------------------------------------


def saved(file: str, at: float, size: int = 10, session: str = "s", identity: str = "m") -> Saved:
    return Saved(file=file, model="m", identity=identity, session=session, tokens=1, size=size, saved_at=at, mark=held(1))


def test_the_oldest_files_go_first_when_there_is_too_much() -> None:
    ledger = Ledger(saved=(saved("b", 2), saved("a", 1), saved("c", 3)))
    assert records.over_cap(ledger, 30) == ()
    assert records.over_cap(ledger, 20) == ("a",)
    assert set(records.over_cap(ledger, 0)) == {"a", "b", "c"}


def test_a_models_files_are_its_own_the_latest_first() -> None:
    ledger = Ledger(saved=(saved("a", 1), saved("x", 5, identity="other"), saved("b", 2)))
    assert [each.file for each in records.of_model(ledger, "m")] == ["b", "a"]


def test_a_ledger_survives_its_own_writing_and_damage_makes_an_empty_one() -> None:
    ledger = records.given_up(Ledger(saved=(saved("a", 1),)), "id", "why")
    assert records.read_ledger(ledger.model_dump_json()) == ledger
    for text in ("", "{", '{"saved": 1}', "[]"):
        assert records.read_ledger(text) == Ledger()


def test_two_clients_with_one_name_for_a_conversation_have_two_conversations() -> None:
    assert records.session_key("s", "ann") != records.session_key("s", "bob")
    assert records.session_key("s", None) != "s"


def test_a_file_belongs_to_one_model_with_its_flags_and_one_conversation() -> None:
    names = {records.file_name(identity, session) for identity in ("m", "n") for session in ("a", "b")}
    assert len(names) == 4
    assert all(name.replace(".slot", "").isalnum() for name in names)
