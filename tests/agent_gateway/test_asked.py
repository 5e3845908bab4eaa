"""A request's body is read without touching it, and only the value of `model` is ever replaced."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.gateway.asked import NotUnderstood, read

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["model", "a", '"', "é"]), inner, max_size=3),
    max_leaves=8,
)
BODIES = st.dictionaries(st.sampled_from(["model", "messages", "temperature", "tools", "x y"]), JSON, max_size=5)


@given(BODIES, st.sampled_from([None, 1, "\t"]), st.booleans(), st.text(max_size=8).filter(lambda text: text.isprintable()))
def test_another_model_is_the_only_difference(body: dict[str, Any], indent: int | str | None, ascii_only: bool, name: str) -> None:
    raw = json.dumps(body, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    try:
        raw.decode()
    except UnicodeDecodeError:
        return
    changed = read(raw).with_model(name)
    assert json.loads(changed) == {**body, "model": name}
    if "model" in body and indent is None:
        start = raw.index(b'"model": ')
        assert start == 0 or changed.startswith(raw[:start])
        assert len(changed) - len(json.dumps(name)) == len(raw) - len(json.dumps(body["model"], ensure_ascii=ascii_only).encode())


def test_numbers_spaces_and_order_stay_as_they_came() -> None:
    raw = b'\n{"temperature" : 1.0e-0,"x":1E400 , "model":"auto","seed":00.0}'.replace(b"00.0", b"0.00")
    assert read(raw).with_model("fast") == raw.replace(b'"auto"', b'"fast"')


def test_a_name_that_is_there_twice_is_replaced_in_both() -> None:
    asked = read(b'{"model":"auto","model":"big"}')
    assert asked.model == "big"
    assert asked.with_model("fast") == b'{"model":"fast","model":"fast"}'


def test_a_model_deeper_inside_is_none_of_our_business() -> None:
    raw = b'{"metadata":{"model":"auto"},"model":"auto"}'
    assert read(raw).with_model("fast") == b'{"metadata":{"model":"auto"},"model":"fast"}'


NO_OBJECTS = (b"", b"[]", b"{", b'{"a":1', b'{"a":1}}', b'{"a" 1}', b"{a:1}", b'{"a":1,}', b"\xff", b'{"a":' + b"[" * 100_000)


@pytest.mark.parametrize("raw", NO_OBJECTS, ids=range(len(NO_OBJECTS)))
def test_what_is_no_object_is_refused(raw: bytes) -> None:
    with pytest.raises(NotUnderstood):
        read(raw)


WORDS = st.sampled_from(["user", "text", "input_text", "image", "tool_result", "tool_use", "function_call", "x"])
NAMES = st.sampled_from(["role", "type", "content", "output", "text", "tool_calls", "image_url"])
PARTS = st.recursive(
    st.none() | st.integers() | WORDS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)
MEMBERS = st.sampled_from(["messages", "input", "prompt", "system", "instructions", "tools", "functions"])


@given(st.dictionaries(MEMBERS, PARTS))
def test_a_body_that_no_protocol_knows_is_read_as_far_as_it_goes(body: dict[str, Any]) -> None:
    asked = read(json.dumps(body).encode())
    assert isinstance(asked.newest_text(), str)
    assert asked.chars() >= 0
    assert asked.needs() <= {"tools", "vision"}
    assert isinstance(asked.newest_pictures(), tuple)


def test_the_newest_text_is_the_persons_and_no_results() -> None:
    parts = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "data:"}}, {"type": "text", "text": "here"}]
    messages = [{"role": "user", "content": "#deep before"}, {"role": "user", "content": parts}, {"role": "tool", "content": "#force_big"}]
    assert read(json.dumps({"messages": messages}).encode()).newest_text() == "look\nhere"
    assert read(b'{"messages":[{"role":"system","content":"#deep"}]}').newest_text() == ""
