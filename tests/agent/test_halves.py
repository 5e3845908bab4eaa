"""Half of a call in any family's form is written again, and marks that a server passed on are no part of what a person reads."""

from __future__ import annotations

import json
import time
import warnings

import pytest

from agent.calls.assemble import Assembly
from agent.calls.leaked import calls_in, may_be_call
from agent.calls.reading import read_call
from agent.calls.repair import check_call
from agent.calls.spoken import spoken
from tests.agent.test_leaked import FORMS, NAMES, SCHEMA

WRITTEN = '{"name": "create_event", "arguments": {"title": "Te'


@pytest.mark.parametrize(
    "text",
    [
        f"functools[{WRITTEN}",
        f'functools[{WRITTEN}a"}}}}',
        f"<|START_ACTION|>[{WRITTEN}",
        '<|START_ACTION|>[{"tool_call_id": "0", "tool_name": "create_event", "parameters": {"title": "Te',
        '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>create_event\n```json\n{"title": "Te',
        '<｜tool▁call▁begin｜>create_event<｜tool▁sep｜>{"title": "Tea"}<｜tool▁call▁end',
        '<|tool_calls_section_begin|><|tool_call_begin|>functions.create_event:0<|tool_call_argument_begin|>{"title": "Te',
        "<|channel|>commentary to=functions.create_event <|constrain|>json<|mess",
        "<|channel|>analysis<|message|>So.<|end|><|start|>assistant<|channel|>commentary to=functions.create_event",
        '<minimax:tool_call>\n<invoke name="create_event">\n<parameter name="title">Te',
        '<invoke name="create_event">when</invoke>',
        '<|tool_call_start|>[create_event(title="Te',
        "<|tool_call_start|>[create_event(title=open('x'))]<|tool_call_end|>",
        '```tool_code\nprint(create_event(title="Te',
        f"```json\n{WRITTEN}",
        f'```json\n{WRITTEN}a"}}}}\n``',
        WRITTEN,
        f"[{WRITTEN}",
        f'{{"tool_calls": [{{"id": "1", "type": "function", "function": {WRITTEN}',
        ">>>create_event",
        "Action: create_event\nAction Inp",
        '<tool_call>{"name": "create_event", "arguments": {"title": "a"}}</tool_call>\n<tool_call>{"name": "crea',
        "<tool_call>\n<function=create_event>\n<parameter=title>\nTea\n</parameter>\n</function>\n</tool_",
    ],
)
def test_half_a_call_of_any_family_is_no_answer_and_cannot_be_run(text: str):
    assert all(may_be_call(text[:n]) for n in range(1, len(text)))
    (call,) = calls_in(text, NAMES)
    read = read_call(call, {"create_event": SCHEMA, "list_events": SCHEMA}, only_reads=frozenset({"list_events"}))
    assert (call.name, check_call(read, {"create_event": SCHEMA}).arguments) == ("create_event", None)


@pytest.mark.parametrize("text", FORMS)
def test_of_a_call_that_is_cut_off_anywhere_nothing_runs_but_all_of_it(text: str):
    schemas = {"list_events": SCHEMA}
    for n in range(1, len(text)):
        for call in calls_in(text[:n], schemas):
            read = read_call(call, schemas, only_reads=frozenset())
            assert check_call(read, schemas).arguments in (None, {"when": "tomorrow"}), text[:n]


@pytest.mark.parametrize(
    "text",
    [
        "functools[",
        'functools[{"name": "cre',
        "<tool_call>",
        "<tool_c",
        '<tool_call>\n{"na',
        "<tool_call>create_event\n<arg_k",
        "<function=create_",
        "[TOOL_CALLS]create",
        "<|tool_call_start|>[create_ev",
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>create_ev",
        "<|channel|>commentary to=func",
        ">>>create_ev",
        ">>>all",
        ">>>all\n",
    ],
)
def test_marks_without_a_name_are_no_answer_at_all(text: str):
    assert calls_in(text, NAMES) == ()
    assert (spoken(text).strip(), streamed(text)) == ("", "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (">>>all\nYou have three.", "You have three."),
        ("Thought: I know it.\nFinal Answer: You have three.", "You have three."),
        ("**Thought:** So.\n**Final Answer:** You have three.", "You have three."),
        ("<|channel|>final<|message|>You have three.", "You have three."),
        ("You have three.\nFinal Answer: three.", "You have three.\nFinal Answer: three."),
        ("Thought: what a day", "Thought: what a day"),
        (">>> 1 + 1", ">>> 1 + 1"),
        ("<tool_call>\nis what begins a call.", "<tool_call>\nis what begins a call."),
        ("functools is a module.", "functools is a module."),
        ("[TOOL_CALLS] is Mistral's mark.", "[TOOL_CALLS] is Mistral's mark."),
        ("<function=x> is how a call begins.", "<function=x> is how a call begins."),
        ("<function=list_events> is how Qwen begins a call.", "<function=list_events> is how Qwen begins a call."),
        ('<invoke name="list_events"> is how a call begins.', '<invoke name="list_events"> is how a call begins.'),
        ("<tool_call> (Hermes' tag) begins one.", "<tool_call> (Hermes' tag) begins one."),
        ("<tool_calls> tags (don't nest them) hold several.", "<tool_calls> tags (don't nest them) hold several."),
        ("[TOOL_CALLS] [Mistral's mark] is one token.", "[TOOL_CALLS] [Mistral's mark] is one token."),
        ("<|channel|> and <|start|> are marks of gpt-oss.", "<|channel|> and <|start|> are marks of gpt-oss."),
        ("<|channel|>final is where the answer goes.", "<|channel|>final is where the answer goes."),
        ("<", "<"),
    ],
)
def test_an_answer_is_told_without_the_marks_before_it_and_grows_as_it_ends(text: str, said: str):
    answer = Assembly()
    shown = "".join(answer.add({"choices": [{"delta": {"content": sign}}]}) for sign in text)
    assert (calls_in(text, NAMES), spoken(answer.reply().text)) == ((), said)
    assert said.startswith(shown)


@pytest.mark.parametrize(
    "text",
    [
        "<|start|>assistant<|channel|>final<|message|>You have three.<|return|>",
        "<|channel|>commentary<|message|>I look.<|end|>",
    ],
)
def test_a_message_of_gpt_oss_is_told_without_what_stands_around_it(text: str):
    assert streamed(text) == "", "whether a call follows is known at its end"
    assert spoken(text) in ("You have three.", "I look.")


def test_an_input_that_ends_in_a_backtick_keeps_it():
    (call,) = calls_in("Action: list_events\nAction Input: `date`", NAMES)
    assert call.arguments == "`date`"


def streamed(text: str) -> str:
    answer = Assembly()
    return "".join(answer.add({"choices": [{"delta": {"content": sign}}]}) for sign in text)


@pytest.mark.parametrize(
    "text", ["<tool_call>" * 9000, "functools[" * 9000, "<" * 50_000, "<function=" * 9000 + "{", '{"id": 1, ' * 9000, "Thought:\n" * 9000]
)
def test_marks_over_and_over_hold_nobody_up(text: str):
    begun = time.process_time()
    spoken(text)
    calls_in(text, NAMES)
    # Forty times less.
    assert time.process_time() - begun < 4


@pytest.mark.parametrize(("written", "title"), [(r"5\d", r"5\d"), (r"C:\Temp", r"C:\Temp"), (r"\777", "\u01ff")])
def test_odd_escapes_in_python_that_a_model_wrote_are_no_word_for_the_terminal(written: str, title: str):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (call,) = calls_in(f'[create_event(title="{written}")]', NAMES)
        with pytest.raises(SyntaxWarning):
            warnings.warn("invalid escape sequence, elsewhere", SyntaxWarning, stacklevel=1)
    assert json.loads(call.arguments) == {"title": title}
