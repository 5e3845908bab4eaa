"""Whether a call runs, is asked for, or is refused, from pinned facts, settings, grants and taint; what is unknown is asked for.

It never looks at the call's arguments or at what a server claims of itself (beyond becoming stricter), so no text that a model has read can
argue with it.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from agent.events import ToolClass
from agent.safety.manifest import ToolFacts
from agent.safety.taint import Taint

Verdict = Literal["allow", "ask", "deny"]
OUTWARD: frozenset[ToolClass] = frozenset({"send", "delete"})
"""What an instruction hidden in a mail would want: nothing granted in advance covers it once a session is tainted."""


class Ruling(NamedTuple):
    """A verdict and its reason, as shown and stored."""

    verdict: Verdict
    reason: str


def decide(facts: ToolFacts, *, override: Verdict | None, grants: frozenset[ToolClass], taint: Taint) -> Ruling:
    """Decide one call.

    1. The settings deny it: Deny.
    2. The settings ask for it: Ask.
    3. A pinned tool that only reads, and whose server does not say otherwise: Allow.
    4. It runs a program: Ask. Nothing allows that in advance, since nobody knows what a program does.
    5. It sends or deletes, and the session has read outside text: Ask, whatever was granted in advance.
    6. The settings allow it: Allow.
    7. Its class was granted in advance and the tool is pinned (a class is only known of those): Allow.
    8. Anything else: Ask.

    Args:
        facts: from the manifest.
        override: the settings' word on this tool, if any.
        grants: classes granted in advance for this turn.
        taint: of the session, when the model made the call.
    """
    if override == "deny":  # 1
        return Ruling("deny", "the settings deny this tool")
    if override == "ask":  # 2
        return Ruling("ask", "the settings ask for this tool")
    if facts.is_pinned and facts.tool_class == "read" and not facts.is_doubted:  # 3
        return Ruling("allow", "it only reads")
    if facts.tool_class == "run":  # 4
        return Ruling("ask", "it runs a program, which is asked for each time")
    if facts.tool_class in OUTWARD and taint.is_tainted:  # 5
        return Ruling("ask", f"the session has read outside text ({', '.join(taint.sources)})")
    if override == "allow":  # 6
        return Ruling("allow", "the settings allow this tool")
    if facts.is_pinned and not facts.is_doubted and facts.tool_class in grants:  # 7
        return Ruling("allow", f"{facts.tool_class} was granted in advance")
    if not facts.is_pinned:  # 8
        return Ruling("ask", "nothing is known of this tool")
    return Ruling("ask", "its server says that it does more than read" if facts.is_doubted else f"{facts.tool_class} is asked for")  # 8
