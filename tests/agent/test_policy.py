from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.events import ToolClass, ToolFinished
from agent.safety.manifest import FORBIDDEN, MANIFEST, UNKNOWN, ToolFacts, facts_of
from agent.safety.policy import Policy, Ruling, Verdict, decide
from agent.safety.taint import Taint
from mcp_servers.catalogue import all_tools

TAINTED = Taint(("read_mail",))
CLEAN = Taint()
ALL_GRANTS: frozenset[ToolClass] = frozenset({"read", "write", "delete", "send", "run"})
PAGE = Path(__file__).parents[2] / "docs" / "tools.md"


def test_the_manifest_is_the_table_of_the_documentation():
    text = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+) \| `(\w+)\(.*?\)` \| (\w+) \|", text, flags=re.MULTILINE)
    untrusted = re.search(r"What (.*?)\s+return is \*untrusted text\*", text, flags=re.DOTALL)
    assert untrusted is not None
    assert {(server, tool): facts.tool_class for (server, tool), facts in MANIFEST.items()} == {(s, t): c for s, t, c in rows}
    assert {tool for (_, tool), facts in MANIFEST.items() if facts.taints} == set(re.findall(r"`(\w+)`", untrusted.group(1)))
    assert all(facts.prepares == (facts.tool_class != "read") for facts in MANIFEST.values())


@pytest.mark.parametrize(
    ("facts", "override", "grants", "taint", "verdict"),
    [
        (ToolFacts("read"), None, (), TAINTED, "allow"),
        (ToolFacts("read"), "ask", (), CLEAN, "ask"),
        (ToolFacts("read"), "deny", ALL_GRANTS, CLEAN, "deny"),
        (ToolFacts("read", is_doubted=True), None, ALL_GRANTS, CLEAN, "ask"),
        (ToolFacts("write"), None, (), CLEAN, "ask"),
        (ToolFacts("write"), None, ("write",), CLEAN, "allow"),
        (ToolFacts("write"), None, ("write",), TAINTED, "allow"),
        (ToolFacts("write"), None, ("send",), CLEAN, "ask"),
        (ToolFacts("write"), "allow", (), TAINTED, "allow"),
        (ToolFacts("send"), None, ("send",), CLEAN, "allow"),
        (ToolFacts("send"), None, ("send",), TAINTED, "ask"),
        (ToolFacts("delete"), None, ALL_GRANTS, TAINTED, "ask"),
        (ToolFacts("send"), "allow", (), CLEAN, "allow"),
        (ToolFacts("send"), "allow", ("send",), TAINTED, "ask"),
        (ToolFacts("run"), None, ALL_GRANTS, CLEAN, "ask"),
        (ToolFacts("run"), "allow", ALL_GRANTS, CLEAN, "ask"),
        (ToolFacts("run"), "deny", ALL_GRANTS, CLEAN, "deny"),
        (ToolFacts("send", sends_stored=True), "allow", ("send",), CLEAN, "ask"),
        (ToolFacts("read", is_forbidden=True), "allow", ALL_GRANTS, CLEAN, "deny"),
        (UNKNOWN, None, (), CLEAN, "ask"),
        (UNKNOWN, None, ALL_GRANTS, CLEAN, "ask"),
        (UNKNOWN, "allow", (), CLEAN, "allow"),
    ],
)
def test_a_call_is_decided_as_the_tree_says(
    facts: ToolFacts, override: Verdict | None, grants: tuple[ToolClass, ...], taint: Taint, verdict: Verdict
):
    assert decide(facts, override=override, grants=frozenset(grants), taint=taint).verdict == verdict


classes = st.sampled_from(sorted(ALL_GRANTS))
any_facts = st.builds(
    ToolFacts, classes, taints=st.booleans(), is_pinned=st.booleans(), is_doubted=st.booleans(), outward=st.sampled_from([(), ("query",)])
)


@given(any_facts, st.none() | st.sampled_from(["allow", "ask", "deny"]), st.frozensets(classes))
def test_nothing_sends_or_deletes_unasked_once_outside_text_was_read(
    facts: ToolFacts, override: Verdict | None, grants: frozenset[ToolClass]
):
    ruling = decide(facts, override=override, grants=grants, taint=TAINTED)
    assert not (ruling.verdict == "allow" and facts.tool_class in ("send", "delete", "run"))
    assert ruling.reason


def test_a_known_name_on_a_server_that_is_not_ours_is_unknown():
    assert facts_of(None, "list_events", {}) == UNKNOWN
    assert facts_of("mail", "list_events", {}) == UNKNOWN


def test_a_servers_own_word_makes_a_tool_stricter_and_never_looser():
    assert facts_of("calendars", "list_events", {"read_only": False}).is_doubted
    assert facts_of("calendars", "list_events", {"destructive": True}).is_doubted
    assert facts_of("calendars", "delete_event", {"read_only": True}) == MANIFEST["calendars", "delete_event"]
    assert facts_of(None, "anything", {"read_only": True}) == UNKNOWN


def test_every_tool_of_ours_has_a_kind_and_what_leaves_the_house_is_named():
    served = {(tool["server"], tool["name"]): tool for tool in all_tools()}
    assert served.keys() == MANIFEST.keys()
    public = {name for name, facts in MANIFEST.items() if facts.kind == "public read"}
    assert public == {name for name, tool in served.items() if tool["class"] == "read" and tool["annotations"]["openWorldHint"]}
    for name in public:
        assert set(MANIFEST[name].outward) <= set(served[name]["input_schema"]["properties"])
    for name, tool in served.items():
        hints = {"read_only": tool["annotations"]["readOnlyHint"], "destructive": tool["annotations"]["destructiveHint"]}
        assert facts_of(name[0], name[1], hints | {"open_world": tool["annotations"]["openWorldHint"]}) == MANIFEST[name]


def test_a_reader_that_says_it_reaches_outside_is_doubted_and_a_forbidden_name_is_forbidden_everywhere():
    assert facts_of("mail", "read_mail", {"open_world": True}).is_doubted
    assert not facts_of("searxng", "web_search", {"open_world": True}).is_doubted
    for name in ("create_filter", "Create-Filter", "add_delegate", "empty_trash"):
        assert decide(facts_of(None, name, {}), override="allow", grants=ALL_GRANTS, taint=CLEAN).verdict == "deny"
    assert not {tool for _, tool in MANIFEST} & FORBIDDEN


def test_taint_comes_from_results_that_outsiders_could_have_written_and_stays():
    def finished(name: str, *, taints: bool) -> ToolFinished:
        return ToolFinished(turn="t", call="c", name=name, ok=True, decision="allow", text="", taints=taints)

    clean = Taint().after(finished("find_free_time", taints=False))
    assert not clean.is_tainted
    tainted = clean.after(finished("read_mail", taints=True)).after(finished("find_free_time", taints=False))
    assert tainted.after(finished("read_mail", taints=True)).sources == ("read_mail",)


def test_a_call_that_names_nobody_only_writes():
    facts = ToolFacts("send", taints=True, people=("guests",))
    assert facts.of({"guests": ["ann@example.com"]}).kind == "egress"
    assert facts.of({"guests": [], "title": "Lunch"}).kind == facts.of({}).kind == "reversible write"
    assert ToolFacts("send").of({}).kind == "egress"


@pytest.mark.parametrize("taint", [Taint(), Taint(sources=("list_events",))])
def test_an_event_that_nobody_else_can_see_is_added_with_what_lets_one_write(taint: Taint):
    policy = Policy({"add_event": MANIFEST["calendars", "add_event"]})
    allowed = Policy(policy.facts, {"add_event": "allow"})
    alone = {"title": "Dentist", "when": "monday at 9", "repeat": "every 2 weeks"}
    writing: frozenset[ToolClass] = frozenset({"write"})
    assert policy.rule_on("add_event", alone, grants=writing, taint=taint).verdict == "allow"
    assert allowed.rule_on("add_event", alone, grants=frozenset(), taint=taint).verdict == "allow"
    assert policy.rule_on("add_event", alone, grants=frozenset(), taint=taint).verdict == "ask"
    for reached in ({"guests": "ann@example.com"}, {"calendar": "work/Team"}):
        assert policy.rule_on("add_event", alone | reached, grants=writing, taint=taint).verdict == "ask"


def test_a_guest_whom_only_the_dry_run_names_is_asked_about_all_the_same():
    policy = Policy({"add_event": MANIFEST["calendars", "add_event"]})
    first = Ruling("allow", "write was granted in advance")
    lines = (("Guests", "ann@example.com (no answer yet)"),)
    assert policy.rule_on_prepared(first, "add_event", '{"title":"Lunch"}', lines, Taint()).verdict == "ask"
