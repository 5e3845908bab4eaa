"""How judged requests are scored, by the rules of tests/judged/README.md."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mcp_servers.catalogue import core_tools
from nano.judge import below
from nano.score import score

JUDGED = Path(__file__).parents[1] / "judged"
NOW = datetime(2026, 11, 21, 9, 15, tzinfo=ZoneInfo("Europe/Berlin"))
CASE: dict[str, Any] = {
    "acts": [{"tool": "create_event", "arguments": {"title": ["coffee with Marek"], "when": ["next Friday at 10"]}}],
    "reply": {"kind": "result", "must": ["Marek", "10:00"], "must_not": []},
}


def _call(**arguments: object) -> list[dict[str, Any]]:
    return [{"name": "create_event", "arguments": arguments}]


def test_other_words_for_the_same_time_are_right():
    judged = score(CASE, _call(title="Coffee with Marek", when="friday next week 10am"), "Coffee with Marek at 10:00", NOW)
    assert judged.is_right, judged.note


@pytest.mark.parametrize(
    "arguments",
    [
        {"title": "coffee", "when": "next friday at 10"},
        {"title": "coffee with Marek", "when": "next friday at 11"},
        {"title": "coffee with Marek"},
        {"title": "coffee with Marek", "when": "next friday at 10", "location": "Cafe"},
    ],
)
def test_a_wrong_missing_or_invented_argument_is_wrong(arguments: dict[str, str]):
    judged = score(CASE, _call(**arguments), "Marek 10:00", NOW)
    assert judged.is_act_right
    assert not judged.are_arguments_right


def test_another_tool_none_or_one_too_many_is_a_wrong_act():
    right = _call(title="coffee with Marek", when="next friday at 10")
    other: list[dict[str, Any]] = [{"name": "list_events", "arguments": {}}]
    nothing: list[dict[str, Any]] = []
    for calls in (nothing, [*right, *right], other):
        assert not score(CASE, calls, "Marek 10:00", NOW).is_act_right


def test_a_reply_must_hold_its_facts_and_may_write_times_in_twelve_hours():
    calls = _call(title="coffee with Marek", when="next friday at 10")
    assert score(CASE, calls, "Coffee with Marek, 10am", NOW).is_reply_right
    assert not score(CASE, calls, "Done!", NOW).is_reply_right


def test_a_request_out_of_reach_is_answered_by_saying_so():
    case: dict[str, Any] = {"acts": [], "reply": {"kind": "cannot"}}
    assert score(case, [], "I can't do that.", NOW).is_right
    assert not score(case, [], "Sure, the lights are off.", NOW).is_right
    assert not score(case, _call(title="lights", when="now"), "I can't do that.", NOW).is_right


def test_the_judged_set_is_large_enough_and_names_only_served_tools():
    tools = {tool["name"]: set(tool["input_schema"]["properties"]) for tool in core_tools()}
    worlds = json.loads((JUDGED / "worlds.json").read_text(encoding="utf-8"))
    cases = [json.loads(line) for line in (JUDGED / "requests.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(cases) >= 300
    assert len({case["id"] for case in cases}) == len(cases)
    for case in cases:
        assert case["world"] in worlds
        for act in [*case["acts"], *(act for acts in case.get("alternatives", []) for act in acts)]:
            assert set(act["arguments"]) <= tools[act["tool"]], case["id"]


def test_a_sample_of_which_less_is_right_than_its_floor_fails_by_name():
    floor = json.loads((JUDGED / "floor.json").read_text(encoding="utf-8"))
    cases = (JUDGED / "requests.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(cases[floor["first"] :: floor["every"]]) == 47
    least = floor["least"]
    assert below({"all": least}, least) == []
    assert below({"all": {**least, "reply": 0.5}}, least) == [f"reply 0.5, at least {least['reply']}"]


def test_what_the_report_says_of_the_whole_set_is_no_less_than_the_floor_of_its_sample():
    report = (Path(__file__).parents[2] / "nano" / "REPORT.md").read_text(encoding="utf-8")
    row = next(line for line in report.splitlines() if line.startswith("| **all** |"))
    shares = dict(zip(("act", "arguments", "reply"), map(float, row.strip("| ").split(" | ")[-3:]), strict=True))
    assert below({"all": shares}, json.loads((JUDGED / "floor.json").read_text(encoding="utf-8"))["least"]) == []
