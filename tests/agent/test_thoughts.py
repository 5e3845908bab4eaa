"""Thinking tags in an answer's text: what was thought is parted from what was said, in pieces of any size."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.calls.assemble import Assembly
from agent.calls.leaked import calls_in
from agent.calls.thoughts import Inside, Thoughts, opens_thoughts, parted_at_end

THOUGHT = [
    ("<think>\nHm.\n</think>\n\nHello.", "Hm.", "Hello."),
    ("<thinking>Hm.</thinking>Hello.", "Hm.", "Hello."),
    ("[THINK]Hm.[/THINK]Hello.", "Hm.", "Hello."),
    ("\n<think></think>Hello.", "", "Hello."),
    ("<|channel>thought\nHm.<channel|>Hello.", "Hm.", "Hello."),
    ("<|channel|>analysis<|message|>Hm.<|channel|>final<|message|>Hello.", "Hm.", "Hello."),
    (
        "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>analysis<|message|>So.<|end|>"
        "<|start|>assistant<|channel|>final<|message|>Hello.",
        "Hm.\nSo.",
        "Hello.",
    ),
    (
        "<|channel|>analysis<|message|>Hm.<|end|><|channel|>analysis<|message|>So.<|end|>\n<|channel|>final<|message|>Hello.",
        "Hm.\nSo.",
        "Hello.",
    ),
    (
        "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>commentary to=functions.f<|message|>{}",
        "Hm.",
        "<|start|>assistant<|channel|>commentary to=functions.f<|message|>{}",
    ),
    ("◁think▷Hm.◁/think▷Hello.", "Hm.", "Hello."),
    ("<|inner_prefix|>Hm.<|inner_suffix|>Hello.", "Hm.", "Hello."),
    ("<|START_THINKING|>Hm.<|END_THINKING|>Hello.", "Hm.", "Hello."),
    ("<think>Hm. It never ends", "Hm. It never ends", ""),
    ("Hello.", "", "Hello."),
    ("I <think> so.", "", "I <think> so."),
    ("Use <b>, a < b.", "", "Use <b>, a < b."),
    ("</think>\n\nHello.", "", "Hello."),
    ("The model ends its thoughts with </think> and then speaks.", "", "The model ends its thoughts with </think> and then speaks."),
]


@pytest.mark.parametrize(("raw", "thought", "said"), THOUGHT)
@given(size=st.integers(1, 9))
def test_it_is_parted_and_only_what_was_said_is_shown(raw: str, thought: str, said: str, size: int):
    thoughts = Thoughts()
    shown = "".join(thoughts.feed(raw[i : i + size]) for i in range(0, len(raw), size))
    assert thoughts.parted() == (thought, said)
    assert shown == said


def test_where_the_template_opened_the_thinking_everything_before_its_end_was_thought():
    assert parted_at_end("Hm.\n</think>\n\nHello.") == ("Hm.", "Hello.")
    assert parted_at_end("Hello.") is None
    assert parted_at_end("It is <think> and </think>.") is None


@pytest.mark.parametrize("thoughts", [Inside(), Thoughts(is_thinking=True, _closer="</think>")])
def test_long_thoughts_cost_no_more_at_their_end_than_at_their_beginning(thoughts: Inside | Thoughts):
    # Were all of it looked through at each piece, this would take half an hour.
    shown = [thoughts.feed(piece) for piece in (*["hm, "] * 150_000, "so. </th", "ink>", "\n", "Hello.")]
    assert "".join(shown) == "Hello."


def test_a_template_that_opens_the_thinking_is_known_by_how_its_prompt_ends():
    assert opens_thoughts("<|im_start|>assistant\n<think>\n")
    assert opens_thoughts("[INST]Hi[/INST][THINK]")
    assert not opens_thoughts("<|im_start|>assistant\n<think>\n\n</think>\n\n")
    assert not opens_thoughts("<|im_start|>assistant\n")


def test_a_reply_keeps_what_was_generated_beside_what_was_said():
    assembly = Assembly()
    shown = [assembly.add({"choices": [{"delta": {"content": piece}}]}) for piece in ("<thi", "nk>Hm.</think>", "\n\nHel", "lo.")]
    reply = assembly.reply()
    assert "".join(shown) == "Hello."
    assert (reply.text, reply.reasoning, reply.raw) == ("Hello.", "Hm.", "<think>Hm.</think>\n\nHello.")


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_thoughts_in_a_field_of_their_own_are_told_apart_by_either_name(field: str):
    assembly = Assembly()
    for delta in ({field: "Hm."}, {field: None, "content": "Hello."}, {field: {"odd": 1}}):
        assembly.add({"choices": [{"delta": delta}]})
    assert (assembly.reply().reasoning, assembly.reply().text) == ("Hm.", "Hello.")


def test_a_call_behind_gpt_oss_thoughts_is_found():
    raw = (
        "<|channel|>analysis<|message|>I look.<|end|><|start|>assistant<|channel|>commentary to=functions.list_events "
        '<|constrain|>json<|message|>{"a":1}<|call|>'
    )
    assembly = Assembly()
    shown = [assembly.add({"choices": [{"delta": {"content": raw[i : i + 7]}}]}) for i in range(0, len(raw), 7)]
    reply = assembly.reply()
    assert (set(shown), reply.reasoning) == ({""}, "I look.")
    assert [(call.name, call.arguments) for call in calls_in(reply.text, {"list_events"})] == [("list_events", '{"a":1}')]


def test_what_may_be_a_call_is_not_shown():
    assembly = Assembly()
    shown = [assembly.add({"choices": [{"delta": {"content": piece}}]}) for piece in ("<tool_", 'call>{"na', 'me": "x"}</tool_call>')]
    assert shown == ["", "", ""]
    assert assembly.reply().text.startswith("<tool_call>")
