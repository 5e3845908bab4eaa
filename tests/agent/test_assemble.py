from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from agent.calls.assemble import Assembly
from agent.events import CallValue


def test_a_call_split_in_the_middle_of_an_escape_comes_out_whole():
    assembly = Assembly()
    for piece in ('{"ti', 'tle": "a \\', '"b\\""}'):
        assembly.add({"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}}]})
    assembly.add({"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "x", "function": {"name": "create_event"}}]}}]})
    assert assembly.reply().calls == (CallValue(id="x", name="create_event", arguments='{"title": "a \\"b\\""}'),)


def test_calls_whose_pieces_are_interleaved_are_kept_apart():
    assembly = Assembly()
    for index, piece in ((0, "{"), (1, "["), (0, "}"), (1, "]")):
        assembly.add({"choices": [{"delta": {"tool_calls": [{"index": index, "id": str(index), "function": {"arguments": piece}}]}}]})
    assert [call.arguments for call in assembly.reply().calls] == ["{}", "[]"]


def test_calls_without_an_index_are_told_apart_by_their_ids():
    assembly = Assembly()
    for id_, piece in (("a", "{"), (None, "}"), ("b", "[]")):
        assembly.add({"choices": [{"delta": {"tool_calls": [{"id": id_, "function": {"name": None, "arguments": piece}}]}}]})
    assert [(call.id, call.arguments) for call in assembly.reply().calls] == [("a", "{}"), ("b", "[]")]


def test_whole_calls_that_all_have_the_first_index_are_told_apart_by_their_ids():
    assembly = Assembly()
    pieces = (
        {"index": 0, "id": "c1", "function": {"name": "list_events", "arguments": '{"a":0}'}},
        {"index": 0, "id": "c2", "function": {"name": "read_mail", "arguments": '{"a"'}},
        {"index": 0, "function": {"arguments": ":1}"}},
        {"index": 1, "id": "c3", "function": {"name": "read_mail", "arguments": "{}"}},
        {"index": 0, "id": "c4", "function": {"name": "read_mail", "arguments": "{}"}},
    )
    for piece in pieces:
        assembly.add({"choices": [{"delta": {"tool_calls": [piece]}}]})
    calls = [(call.id, call.name, call.arguments) for call in assembly.reply().calls]
    first, last = [("c1", "list_events", '{"a":0}'), ("c2", "read_mail", '{"a":1}')], [("c3", "read_mail", "{}")]
    assert calls == [*first, ("c4", "read_mail", "{}"), *last]


def test_a_call_that_is_named_in_each_of_its_pieces_is_one_whatever_their_ids():
    for ids, names in ((("x", "x"), ("list_events", "list_events")), (("x", "y"), ("list_events", None))):
        assembly = Assembly()
        for id_, name, piece in zip(ids, names, ("{", "}"), strict=True):
            call = {"index": 0, "id": id_, "function": {"name": name, "arguments": piece}}
            assembly.add({"choices": [{"delta": {"tool_calls": [call]}}]})
        assert assembly.reply().calls == (CallValue(id="x", name="list_events", arguments="{}"),)


def test_text_and_reasoning_are_kept_apart_and_usage_is_read():
    assembly = Assembly()
    shown = [assembly.add({"choices": [{"delta": delta}]}) for delta in ({"reasoning_content": "hm"}, {"content": "Hi"}, {"content": None})]
    assembly.add({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    usage = {"prompt_tokens": 9, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 5}}
    assembly.add({"choices": [], "usage": usage, "model": "m"})
    reply = assembly.reply()
    assert shown == ["", "Hi", ""]
    assert (reply.text, reply.reasoning, reply.model) == ("Hi", "hm", "m")
    assert (reply.prompt_tokens, reply.completion_tokens, reply.cached_tokens) == (9, 3, 5)
    assert assembly.is_finished
    assert not reply.is_cut


def test_thoughts_that_are_only_in_the_total_are_counted_and_others_not_twice():
    details = {"completion_tokens_details": {"reasoning_tokens": 2809}}
    counted: list[tuple[dict[str, object], int]] = [
        ({"prompt_tokens": 10120, "completion_tokens": 1499, "total_tokens": 14428, **details}, 4308),
        ({"prompt_tokens": 10120, "completion_tokens": 4308, "total_tokens": 14428, **details}, 4308),
        ({"prompt_tokens": 21, "completion_tokens": 0, "total_tokens": 81}, 60),
        ({"prompt_tokens": 7, "completion_tokens": 3}, 3),
        ({"prompt_tokens": 7.0, "completion_tokens": 3.0, "total_tokens": 12.0}, 5),
        ({"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": None}, 3),
        ({"prompt_tokens": None, "completion_tokens": 3, "total_tokens": 10}, 3),
        ({}, 0),
    ]
    for usage, tokens in counted:
        assembly = Assembly()
        assembly.add({"choices": [], "usage": usage})
        assert assembly.reply().completion_tokens == tokens


def test_an_answer_that_hit_the_length_limit_is_marked_as_cut():
    assembly = Assembly()
    assembly.add({"choices": [{"delta": {"content": "and so"}, "finish_reason": "length"}]})
    assert assembly.reply().is_cut


def test_a_character_in_two_halves_is_put_together_and_half_of_one_breaks_nothing():
    assembly = Assembly()
    shown = [assembly.add({"choices": [{"delta": {"content": piece}}]}) for piece in ("Hi \ud83d", "\ude00!", " \ude00.", "\ud83d")]
    for piece in ('{"title": "\ud83d', '\ude00 \ud83d"}'):
        assembly.add({"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "x", "function": {"name": "f", "arguments": piece}}]}}]})
    assert shown == ["Hi ", "\U0001f600!", " \ufffd.", ""]
    assert assembly.reply().text == "Hi \U0001f600! \ufffd."
    assert assembly.reply().calls[0].arguments == '{"title": "\U0001f600 \ufffd"}'


def test_arguments_that_come_as_an_object_and_text_in_parts_are_read():
    assembly = Assembly()
    function = {"name": "create_event", "arguments": {"title": "A"}}
    parts = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "So "}, {"type": "text", "text": "be it."}]
    assert assembly.add({"choices": [{"delta": {"content": parts, "tool_calls": [{"id": "x", "function": function}]}}]}) == "So be it."
    assert assembly.reply().calls[0].arguments == '{"title":"A"}'


# A tag that ends thoughts ends them wherever it stands, as where a chat template has opened them: that is not what this is about.
@given(st.text().filter(lambda text: "</" not in text and "[/" not in text), st.lists(st.integers(1, 9), max_size=20))
def test_any_split_of_any_text_gives_the_text_back(text: str, cuts: list[int]):
    raw, assembly = json.dumps({"title": text}, ensure_ascii=False), Assembly()
    start = 0
    for cut in [*cuts, len(raw)]:
        piece, start = raw[start : start + cut], start + cut
        assembly.add({"choices": [{"delta": {"content": piece, "tool_calls": [{"index": 0, "function": {"arguments": piece}}]}}]})
    assert assembly.reply().text == raw
    assert assembly.reply().calls[0].arguments == raw
