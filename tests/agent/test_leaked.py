"""Calls that were written into the answer's text are calls; answers that look a little like one stay answers."""

from __future__ import annotations

import json
import time

import pytest

from agent.calls.leaked import LEAKED, calls_in, may_be_call
from agent.calls.reading import read_call
from agent.calls.repair import check_call

NAMES = {"list_events", "create_event"}
SCHEMA = {"type": "object"}
ONE = '{"name": "list_events", "arguments": {"when": "tomorrow"}}'


FORMS = [
    f"<tool_call>\n{ONE}\n</tool_call>",
    f"<tool_call>{ONE}",
    "<tool_call>\n<function=list_events>\n<parameter=when>\ntomorrow\n</parameter>\n</function>\n</tool_call>",
    "<function=list_events><parameter=when>tomorrow</parameter></function>",
    f"[TOOL_CALLS][{ONE}]",
    '[TOOL_CALLS]list_events[ARGS]{"when": "tomorrow"}',
    f"```json\n{ONE}\n```",
    f"```tool_call\n{ONE}\n```",
    ONE,
    '{"function": "list_events", "parameters": {"when": "tomorrow"}}',
    '{"type": "function", "function": {"name": "list_events", "arguments": "{\\"when\\": \\"tomorrow\\"}"}}',
    "<|python_tag|>" + ONE,
    "{'name': 'list_events', 'arguments': {'when': 'tomorrow'},}",
    f'{{"tool_calls": [{{"id": "1", "type": "function", "function": {ONE}}}]}}',
    '[TOOL_CALLS]list_events{"when": "tomorrow"}',
    '<|tool_call>call:list_events{when:<|"|>tomorrow<|"|>}<tool_call|>',
    "<tool_call>list_events\n<arg_key>when</arg_key>\n<arg_value>tomorrow</arg_value>\n</tool_call>",
    '```tool_code\nlist_events(when="tomorrow")\n```',
    '```tool_code\nprint(list_events(when="tomorrow"))\n```',
    '<|channel|>commentary to=functions.list_events <|constrain|>json<|message|>{"when": "tomorrow"}<|call|>',
    '<|start|>assistant to=functions.list_events<|channel|>commentary json<|message|>{"when": "tomorrow"}',
    "<|channel|>analysis<|message|>I look.<|end|><|start|>assistant<|channel|>commentary to=functions.list_events"
    '<|message|>{"when": "tomorrow"}<|call|>',
    "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>list_events\n"
    '```json\n{"when": "tomorrow"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
    '<｜tool▁call▁begin｜>list_events<｜tool▁sep｜>{"when": "tomorrow"}<｜tool▁call▁end｜>',
    "<|tool_calls_section_begin|><|tool_call_begin|>functions.list_events:0<|tool_call_argument_begin|>"
    '{"when": "tomorrow"}<|tool_call_end|><|tool_calls_section_end|>',
    '<minimax:tool_call>\n<invoke name="list_events">\n<parameter name="when">tomorrow</parameter>\n</invoke>\n</minimax:tool_call>',
    '<function_calls><invoke name="list_events"><parameter name="when" string="true">tomorrow</parameter></invoke></function_calls>',
    '<invoke name="list_events">\n<parameter name="when">\ntomorrow\n</parameter>\n</invoke>',
    "<seed:tool_call>\n<function=list_events>\n<parameter=when>tomorrow</parameter>\n</function>\n</seed:tool_call>",
    f"<TOOLCALL>[{ONE}]</TOOLCALL>",
    '<|START_ACTION|>[{"tool_call_id": "0", "tool_name": "list_events", "parameters": {"when": "tomorrow"}}]<|END_ACTION|>',
    f"<|tool_call|>[{ONE}]<|/tool_call|>",
    '<|tool_call_start|>[list_events(when="tomorrow")]<|tool_call_end|>',
    '[list_events(when="tomorrow")]',
    '[ list_events(\n  when="tomorrow",\n) ]',
    'Thought: I have to look.\nAction: list_events\nAction Input: {"when": "tomorrow"}',
    'Action: list_events\nAction Input: {"when": "tomorrow"}\nObservation:',
    '**Thought:** I look.\n**Action:** `list_events`\n**Action Input:** {"when": "tomorrow"}',
    'Action: list_events\nAction Input:\n```json\n{"when": "tomorrow"}\n```',
    'Thought: so\nAction:\n```json\n{"action": "list_events", "action_input": {"when": "tomorrow"}}\n```',
    'Action: list_events(when="tomorrow")',
    '>>>list_events\n{"when": "tomorrow"}',
    '<function=list_events>{"when": "tomorrow"}</function>',
    '<|tools_prefix|>[{"list_events": {"when": "tomorrow"}}]<|tools_suffix|>',
    '<|tools_prefix|>[{"list_events": {"when": "tomorrow"}}]',
    f"functools[{ONE}]",
    f"<tool_calls>[{ONE}]</tool_calls>",
]


@pytest.mark.parametrize("text", FORMS)
def test_every_common_form_is_read(text: str):
    (call,) = calls_in(text, NAMES)
    assert (call.name, json.loads(call.arguments), call.repaired) == ("list_events", {"when": "tomorrow"}, LEAKED)
    assert all(may_be_call(text[:n]) for n in range(1, len(text)))


@pytest.mark.parametrize(
    ("begin", "between", "end"),
    [
        ("<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>"),
        ("<|channel|>commentary to=functions.", "<|message|>", "<|call|>"),
        ("<|tool_call_begin|>", "<|tool_call_argument_begin|>", "<|tool_call_end|>"),
    ],
)
def test_several_calls_between_marks_stay_in_their_order(begin: str, between: str, end: str):
    text = f'{begin}list_events{between}{{"when": "x"}}{end}\n{begin}create_event{between}{{"title": "y"}}{end}'
    assert [(call.name, call.arguments) for call in calls_in(text, NAMES)] == [
        ("list_events", '{"when": "x"}'),
        ("create_event", '{"title": "y"}'),
    ]


def test_several_calls_stay_in_their_order():
    text = f'<tool_call>{ONE}</tool_call>\n<tool_call>{{"name": "create_event", "arguments": {{}}}}</tool_call>'
    assert [call.name for call in calls_in(text, NAMES)] == ["list_events", "create_event"]
    assert [call.name for call in calls_in(f"[{ONE}, {ONE}]", NAMES)] == ["list_events", "list_events"]


def test_a_text_inside_a_call_keeps_its_quotes_and_brackets():
    (call,) = calls_in('<|tool_call>call:create_event{title:<|"|>Say "no" {now}<|"|>,count:2}<tool_call|>', NAMES)
    assert json.loads(call.arguments) == {"title": 'Say "no" {now}', "count": 2}


@pytest.mark.parametrize(
    "text",
    [
        '<tool_call>{"name": "functions.list_events", "arguments": {}}</tool_call>',
        "<function=ListEvents></function>",
        "[TOOL_CALLS]calendars__list_events[ARGS]{}",
    ],
)
def test_in_tags_a_name_that_can_only_be_one_tools_is_that_tools(text: str):
    (call,) = calls_in(text, NAMES)
    read = read_call(call, dict.fromkeys(NAMES, SCHEMA), only_reads=frozenset())
    assert (read.name, "taken as list_events" in read.repaired) == ("list_events", True)


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "ListEvents", "arguments": {}}',
        '{"tool_calls": 3}',
        '{"tool_calls": ["list_events"]}',
        '```tool_code\nimport os\nlist_events(when="x")\n```',
        "```tool_code\nlist_events(when=open('x'))\n```",
        "```tool_code\nlist_events('tomorrow')\n```",
        "```tool_code\nlist_events(**{'when': 1})\n```",
        '```tool_code\nformat_disk(when="x")\n```',
        '```python\nlist_events(when="x")\n```',
        '<|tool_call>call:format_disk{when:<|"|>x<|"|>}<tool_call|>',
        '<|channel|>commentary to=functions.format_disk<|message|>{"when": "x"}<|call|>',
        "<|channel|>final<|message|>Tomorrow you have three events.",
        '<|channel|>commentary please to=functions.list_events<|message|>{"when": "x"}<|call|>',
        "<｜tool▁call▁begin｜>list_events",
        '<｜tool▁call▁begin｜>list_events<｜tool▁sep｜>{"when": "x"}<｜tool▁call▁end｜> is how it is done',
        '<|tool_call_begin|>functions.format_disk:0<|tool_call_argument_begin|>{"when": "x"}<|tool_call_end|>',
        '<invoke name="list_events"><parameter name="when">x</parameter></invoke> is how it is done',
        "<TOOLCALL>[1]</TOOLCALL>",
        "<|tool_call_start|>",
        "<tool_call>format_disk\n<arg_key>when</arg_key><arg_value>x</arg_value></tool_call>",
        "<tool_call>list_events\n</tool_call> is how it is done",
        f"I would call this:\n```json\n{ONE}\n```",
        f"```json\n{ONE}\n```\nThat is how it works.",
        '{"name": "format_disk", "arguments": {}}',
        f'[{ONE}, {{"name": "format_disk", "arguments": {{}}}}]',
        '{"name": "Anna", "age": 4}',
        "```python\nprint(1)\n```",
        "<function=format_disk><parameter=title>Te",
        "<tool_call>\nis what begins a call.",
        f"<tool_call>{ONE}</tool_call> is how it is called.",
        f"<tool_calls>[{ONE}]</tool_calls> is how it is called.",
        f"<TOOLCALL>[{ONE}]</TOOLCALL> is how it is called.",
        'Action: list_events(when="x") is how it is done',
        'Action: {"action": "list_events", "action_input": {"when": "x"}} is how it is done',
        f"```python\n{ONE}\n```",
        '[list_events(when="x")] is how it is done',
        '[list_events(when="x"), format_disk(when="x")]',
        "[list_events(when=open('x'))]",
        '[list_events("tomorrow")]',
        "[list_events](https://example.org)",
        "Thought: I know it.\nFinal Answer: three",
        "Thought: what a day",
        "Action: None\nAction Input: {}",
        "Action: we should look at list_events",
        'Action: list_events\nAction Input: {"when": "x"} is how it is done',
        'So:\nAction: list_events\nAction Input: {"when": "x"}',
        ">>>all\nYou have three events.",
        f"functools[{ONE}] is how it is called",
        '{"name": "list_events", "arguments": {"when": "x"}} is how it is called',
        '{"name": "format_disk", "arguments": {"when": "x',
        '<invoke name="format_disk"><parameter name="when">to',
        ">>> list_events",
        '>>>list_events\n{"when": "x"}\nis how it is done',
        '<function=list_events>{"when": "x"}</function> is how it is done',
        '<|tools_prefix|>[{"format_disk": {}}]<|tools_suffix|>',
        '<|tools_prefix|>[{"format_disk": {"when": "x"}}]<|tools_suffix|> is how it is done',
        "[1, 2]",
        "Tomorrow you have three events.",
        "",
    ],
)
def test_an_answer_stays_an_answer(text: str):
    assert calls_in(text, NAMES) == ()


@pytest.mark.parametrize(
    "text",
    [
        "<function=create_event><parameter=title>Tea</parameter>",
        "<function=create_event><parameter=title>Tea</parameter><parameter=when>tomo</function>",
        "<tool_call><function=create_event><parameter=title>Te",
        '<tool_call>{"name": "create_event", "arguments": {"title": "Te',
        '<|python_tag|>{"name": "create_event", "arg',
        '<|tool_call|>{"name": "create_event", "arguments": {"title": "Te',
        '[TOOL_CALLS][{"name": "create_event", "arguments": {"ti',
        '[TOOL_CALLS]create_event[ARGS]{"title": "Te',
        '[TOOL_CALLS]create_event{"title": "Te',
        '<|tool_call>call:create_event{title:<|"|>Te',
        "<tool_call>create_event\n<arg_key>title</arg_key><arg_value>Te",
    ],
)
def test_half_a_call_in_tags_is_no_answer_and_cannot_be_run(text: str):
    (call,) = calls_in(text, NAMES)
    assert (call.name, call.arguments) == ("create_event", text)
    read = read_call(call, {"create_event": SCHEMA, "list_events": SCHEMA}, only_reads=frozenset({"create_event"}))
    assert check_call(read, {"create_event": SCHEMA}).arguments is None


def test_a_long_half_of_a_call_is_looked_at_in_no_time():
    pairs = "<arg_key>a</arg_key>\n<arg_value>b</arg_value>\n" * 400
    (call,) = calls_in(f"<tool_call>create_event\n{pairs}", NAMES)
    assert call.name == "create_event"
    assert calls_in("[TOOL_CALLS]" + "a" * 2000, NAMES) == ()


@pytest.mark.parametrize(
    "begun",
    [
        "```tool_code\n",
        "```json\n{",
        "```",
        "```json\n{}",
        "[TOOL_CALLS]",
        "[TOOL_CALLS]create_event",
        '<tool_call>{"name": "create_event",',
        "[",
        "[create_event",
        "[create_event(",
        "[create_event(title=",
        '[create_event(title="',
        "Thought:",
        "Action:",
        "Action: create_event",
        "Action: create_event\nAction Input:",
        "Action: create_event\nAction Input: {",
        ">>>",
        ">>>create_event\n",
        ">>>create_event\n{",
        "<|tools_prefix|>[",
    ],
)
@pytest.mark.parametrize("filler", ["\n", " ", "a", " \n"])
def test_a_model_that_repeats_one_character_until_it_is_stopped_holds_nobody_up(begun: str, filler: str):
    # Where two parts of a pattern can take the same characters, each of these took minutes.
    for end in ("", "x", "``", "{"):
        half = begun + filler * 8000 + end
        assert all(
            "unreadable" in read_call(each, {"create_event": SCHEMA}, only_reads=frozenset()).arguments for each in calls_in(half, NAMES)
        )


def test_parameters_that_begin_over_and_over_hold_nobody_up():
    begun = time.process_time()
    (call,) = calls_in('<invoke name="create_event">' + '<parameter name="x" ' * 20_000 + "</parameter></invoke>", NAMES)
    assert (call.name, "unreadable" in read_call(call, {"create_event": SCHEMA}, only_reads=frozenset()).arguments) == (
        "create_event",
        True,
    )
    # Two hundred times less; ten seconds where each of them is looked through to the end.
    assert time.process_time() - begun < 3


@pytest.mark.parametrize(
    "text",
    [
        '<tool_call>{"name": "create_event", "arguments": {"title": "a", "title": "b"}}</tool_call>',
        "<function=create_event><parameter=title>a</parameter><parameter=title>b</parameter></function>",
        "<tool_call>create_event<arg_key>title</arg_key><arg_value>a</arg_value><arg_key>title</arg_key><arg_value>b</arg_value></tool_call>",
        '<|tool_call>call:create_event{title:<|"|>a<|"|>,title:<|"|>b<|"|>}<tool_call|>',
        '```tool_code\ncreate_event(title="a", title="b")\n```',
    ],
)
def test_what_a_call_names_twice_is_told_in_every_form(text: str):
    (call,) = calls_in(text, NAMES)
    read = read_call(call, {"create_event": SCHEMA}, only_reads=frozenset())
    assert (json.loads(read.arguments), read.repaired) == ({"title": "b"}, f"{LEAKED}; title given twice, the last taken")


def test_an_answer_is_shown_as_soon_as_it_cannot_be_a_call():
    assert may_be_call("<to")
    assert not may_be_call("<b")
    assert may_be_call("```js")
    assert not may_be_call("```py")
    assert may_be_call("```json\n")
    assert not may_be_call("```\nls")
    assert not may_be_call("Tom")
