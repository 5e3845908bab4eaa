"""Arguments that were written almost right are read as they were meant, and what was put right is named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.calls.mending import mend

MEANT = {"title": "Coffee with Marek", "count": 2, "tags": ["a", "b"], "done": True, "note": None}


@pytest.mark.parametrize(
    ("written", "slip"),
    [
        ('{"title": "Coffee with Marek", "count": 2, "tags": ["a", "b",], "done": true, "note": null,}', "a comma too many"),
        ('{"title": "Coffee with Marek" "count": 2, "tags": ["a", "b"] "done": true, "note": null}', "a missing comma"),
        ("{'title': 'Coffee with Marek', 'count': 2, 'tags': ['a', 'b'], 'done': True, 'note': None}", "other quotes"),
        ('{title: "Coffee with Marek", count: 2, tags: ["a", "b"], done: true, note: null}', "a name without quotes"),
        ('```json\n{"title": "Coffee with Marek", "count": 2, "tags": ["a", "b"], "done": true, "note": null}\n```', "a fence"),
        ('{"title": "Coffee with Marek", // who\n "count": 2, "tags": ["a", "b"], "done": true, "note": null}', "comments"),
        ('{"title": "Coffee with Marek", "count": 2, "tags": ["a", "b"], "done": true, "note": null}}', "brackets too many"),
        ('{“title”: “Coffee with Marek”, "count": 2, "tags": ["a", "b"], "done": true, "note": null}', "other quotes"),
        ('{"title" = "Coffee with Marek", "count": +2, "tags": ["a", "b"], "done": true, "note": null}', "= for :"),
    ],
)
def test_slips_of_notation_are_put_right_and_named(written: str, slip: str):
    mended = mend(written)
    assert mended is not None
    assert mended.value == MEANT
    assert slip in mended.slips
    assert not mended.is_open


def test_json_inside_a_text_is_read_once_more():
    mended = mend(json.dumps(json.dumps(MEANT)))
    assert mended is not None
    assert (mended.value, mended.slips) == (MEANT, ("JSON inside a text",))


def test_quotes_and_line_breaks_inside_a_text_stay_in_it():
    mended = mend('{"body": "She said "yes" to it.\nBye", "to": "Anna"}')
    assert mended is not None
    assert mended.value == {"body": 'She said "yes" to it.\nBye', "to": "Anna"}
    assert set(mended.slips) == {"a quote inside a text", "a line break inside a text"}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ('{"title": "Coffee with Ma', {"title": "Coffee with Ma"}),
        ('{"title": "Coffee", "when', {"title": "Coffee"}),
        ('{"title": "Coffee", "when":', {"title": "Coffee"}),
        ('{"tags": ["a", ', {"tags": ["a"]}),
        ("{", {}),
    ],
)
def test_what_ends_before_its_end_is_said_to_be_open(written: str, read: object):
    mended = mend(written)
    assert mended is not None
    assert (mended.value, mended.is_open) == (read, True)


@pytest.mark.parametrize(
    "written",
    ['{"a": 1}{"a": 2}', "tomorrow at 3", '{"when": tomorrow at 3}', '{"when": 3pm}', '{"when": 2026-11-21}', "", "{]", '{"a": 1} thanks'],
)
def test_what_would_have_to_be_guessed_is_not_read(written: str):
    assert mend(written) is None


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=8), values, max_size=4))
def test_good_json_is_never_changed(value: dict[str, Any]):
    assert mend(json.dumps(value, ensure_ascii=False)) == (value, (), False)


@given(st.dictionaries(st.text("abc_", min_size=1, max_size=5), values, min_size=1, max_size=4), st.data())
def test_a_cut_text_is_open_or_unread_and_never_taken_for_whole(value: dict[str, Any], data: st.DataObject):
    text = json.dumps(value)
    mended = mend(text[: data.draw(st.integers(1, len(text) - 1))])
    assert mended is None or mended.is_open


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(text: str):
    mend(text)
    mend("{" + text)
