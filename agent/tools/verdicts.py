"""What `[policy.tools]` says of single tools, held against the tools that there are.

A name there may be any server's, so the settings cannot refuse one when they are read. A slip in a "deny" would otherwise be noticed by
nobody: the tool goes on as if nothing had been said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from agent.safety.manifest import MANIFEST, ToolFacts
from agent.view.own_names import CALL_TOOL, OWN_NAMES
from config.faults import nearest
from config.vocabulary import Verdict

_KNOWN = (OWN_NAMES - {CALL_TOOL}) | {tool for _, tool in MANIFEST}
"""No slips, also where their server is switched off or did not start."""


class Named(Protocol):
    """A tool, as far as the settings speak of it."""

    @property
    def name(self) -> str:
        """As the model calls it."""
        ...

    @property
    def refused_names(self) -> tuple[str, ...]:
        """What else it is called, and no model's service takes."""
        ...


def words_on(verdicts: Mapping[str, Verdict], tools: Iterable[Named]) -> dict[str, Verdict]:
    """The settings' words by the names that models know.

    A "deny" or an "ask" under a name that services refuse counts as well, the strictest of all. An "allow" does not, as two servers may use
    that name.
    """
    words = dict(verdicts)
    for tool in tools:
        said = {verdicts.get(name) for name in (tool.name, *tool.refused_names)}
        words |= {tool.name: "deny"} if "deny" in said else {tool.name: "ask"} if "ask" in said else {}
    return words


def counted(verdict: Verdict | None, facts: ToolFacts) -> Verdict | None:
    """The settings' word on a tool, if it changes what is done: some things are asked about, or never done, whatever they say."""
    is_asked_anyway = facts.tool_class == "run" or facts.sends_stored or facts.change is not None
    # What only reads is allowed as it is, and asked about all the same where it would tell the web something.
    is_no_matter = verdict == "allow" and (is_asked_anyway or facts.only_reads)
    return None if facts.is_forbidden or is_no_matter else verdict


def doubts(verdicts: Mapping[str, Verdict], tools: Iterable[Named]) -> tuple[str, ...]:
    """A sentence for each name in the settings that no tool has, or none that is decided about.

    Args:
        verdicts: the settings' word by name.
        tools: those that are there.
    """
    here = {tool.name: tool for tool in tools}
    refused = {name: tool.name for tool in here.values() for name in tool.refused_names}
    unknown = sorted(name for name in verdicts.keys() - _KNOWN - here.keys() if name not in refused or verdicts[name] == "allow")
    return tuple(_refused(name, refused[name]) if name in refused else _doubt(name, nearest(name, here)) for name in unknown)


def _refused(name: str, here: str) -> str:
    why = f"because not every model takes that name: an `allow` counts only for `{here}`"
    return f"`{name}` in [policy.tools] is a tool that is named `{here}` here, {why}."


def _doubt(name: str, meant: str | None) -> str:
    if name == CALL_TOOL:
        return f"`{name}` in [policy.tools] does nothing: what is called through it is decided by its own name."
    sentence = f"`{name}` in [policy.tools] names no tool that is there"
    return f"{sentence}; did you mean `{meant}`?" if meant else f"{sentence}."
