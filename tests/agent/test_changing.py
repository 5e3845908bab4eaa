"""A value with other fields is what `dataclasses.replace` makes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.changing import changed
from agent.turns.turn_state import TurnState


def test_the_fields_that_are_named_change_and_the_value_itself_does_not() -> None:
    state = TurnState("t", text="hi")
    other = changed(state, stage="tools", results=("a",))
    assert other == replace(state, stage="tools", results=("a",))
    assert (type(other), other.text, state) == (TurnState, "hi", TurnState("t", text="hi"))


def test_a_field_that_there_is_not_is_refused_as_replace_refuses_it() -> None:
    with pytest.raises(TypeError, match="TurnState has no stagee"):
        changed(TurnState("t"), stagee="tools")
