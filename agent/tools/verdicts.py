"""What `[policy.tools]` says of single tools, held against the tools that there are.

A name there may be any server's, so the settings cannot refuse one when they are read. A slip in a "deny" would otherwise be noticed by
nobody: the tool goes on as if nothing had been said.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from agent.safety.manifest import MANIFEST, ToolFacts
from agent.view.own_names import CALL_TOOL, OWN_NAMES
from config.faults import nearest
from config.vocabulary import Verdict

_KNOWN = (OWN_NAMES - {CALL_TOOL}) | {tool for _, tool in MANIFEST}
"""No slips, also where their server is switched off or did not start."""


def counted(verdict: Verdict | None, facts: ToolFacts) -> Verdict | None:
    """The settings' word on a tool, if it changes what is done: some things are asked about, or never done, whatever they say."""
    is_asked_anyway = facts.tool_class == "run" or facts.sends_stored or facts.change is not None
    # What only reads is allowed as it is, and asked about all the same where it would tell the web something.
    is_no_matter = verdict == "allow" and (is_asked_anyway or facts.only_reads)
    return None if facts.is_forbidden or is_no_matter else verdict


def doubts(verdicts: Mapping[str, Verdict], tools: Collection[str]) -> tuple[str, ...]:
    """A sentence for each name in the settings that no tool has, or none that is decided about.

    Args:
        verdicts: the settings' word by name.
        tools: the names of those that are there.
    """
    return tuple(_doubt(name, nearest(name, tools)) for name in sorted(verdicts.keys() - _KNOWN - {*tools}))


def _doubt(name: str, meant: str | None) -> str:
    if name == CALL_TOOL:
        return f"`{name}` in [policy.tools] does nothing: what is called through it is decided by its own name."
    sentence = f"`{name}` in [policy.tools] names no tool that is there"
    return f"{sentence}; did you mean `{meant}`?" if meant else f"{sentence}."
