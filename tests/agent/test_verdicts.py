"""What the settings say of single tools is shown with the tools, and a name that is no tool's is told."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from agent.safety.manifest import MANIFEST, UNKNOWN, Change, ToolFacts
from agent.safety.policy import decide
from agent.safety.taint import Taint
from agent.tools.toolbox import Toolbox
from agent.tools.verdicts import counted, doubts
from bots.tool_lines import tool_lines
from config.vocabulary import Verdict
from tests.agent.test_mcp_client import fake

CHANGED = replace(UNKNOWN, change=Change("digest", ()))
VERDICTS: dict[str, Verdict] = {"create_event": "allow", "list_event": "deny", "list_events": "deny", "send_mail": "deny", "zzz": "ask"}


@pytest.mark.anyio
async def test_a_persons_verdicts_are_shown_with_the_tools_and_names_that_are_none_are_told_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    with anyio.fail_after(60), caplog.at_level(logging.WARNING):
        async with Toolbox([fake(tmp_path)], verdicts=VERDICTS).running() as box:
            report = await box.report()
    lines = tool_lines(report)
    assert "  list_events (reads, denied by your settings): Fake list_events" in lines
    assert "  create_event (writes, allowed by your settings): Fake create_event" in lines
    said = [
        "`list_event` in [policy.tools] names no tool that is there; did you mean `list_events`?",
        "`zzz` in [policy.tools] names no tool that is there.",
    ]
    assert lines[-2:] == said
    assert [record.message for record in caplog.records if "policy.tools" in record.message] == said


def test_a_built_in_tool_whose_server_is_off_is_no_slip_and_neither_is_one_of_the_hosts_own():
    assert doubts({"send_mail": "deny", "recall": "deny", "find_tools": "deny"}, []) == ()


def test_a_word_on_the_bridge_is_told_since_only_the_tools_behind_it_are_decided_about():
    said = "`call_tool` in [policy.tools] does nothing: what is called through it is decided by its own name."
    assert doubts({"call_tool": "deny"}, []) == (said,)


@pytest.mark.parametrize(
    ("facts", "verdict", "counts"),
    [
        (MANIFEST["mail", "read_mail"], "deny", "deny"),
        (MANIFEST["mail", "read_mail"], "ask", "ask"),
        (MANIFEST["calendars", "create_event"], "allow", "allow"),
        (MANIFEST["calendars", "create_event"], None, None),
        (UNKNOWN, "allow", "allow"),
        (MANIFEST["workspace", "run_command"], "allow", None),
        (ToolFacts("send", sends_stored=True), "allow", None),
        (ToolFacts("send", is_forbidden=True), "allow", None),
        (ToolFacts("send", is_forbidden=True), "ask", None),
        (MANIFEST["searxng", "web_search"], "allow", None),
        (MANIFEST["mail", "read_mail"], "allow", None),
        (CHANGED, "allow", None),
        (CHANGED, "deny", "deny"),
        (ToolFacts("read", is_doubted=True), "allow", "allow"),
    ],
)
def test_a_verdict_is_shown_where_it_counts(facts: ToolFacts, verdict: Verdict | None, counts: Verdict | None):
    """A program is asked about each time, and what nobody may have done is never done, whatever the settings say."""
    assert counted(verdict, facts) == counts


@pytest.mark.parametrize("facts", [*MANIFEST.values(), UNKNOWN, CHANGED, ToolFacts("read", is_doubted=True)])
def test_an_allow_is_shown_where_it_changes_what_is_decided(facts: ToolFacts):
    """Here for a conversation that has read nothing."""
    without, allowed = (decide(facts, override=each, grants=frozenset(), taint=Taint()).verdict for each in (None, "allow"))
    assert (counted("allow", facts) is not None) == (without != allowed)
