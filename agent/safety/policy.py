"""Whether a call runs, is asked for, or is refused, from pinned facts, settings, grants and what the session has heard.

What is unknown is asked for. Of a call's arguments it only asks where their words come from, by comparing them (`agent.safety.provenance`),
and of what a server claims of itself it only takes what makes it stricter: no text that a model has read can argue with it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from agent.event_parts import Taken
from agent.events import ToolClass
from agent.safety.asking import Answer, question_of
from agent.safety.dictated import is_dictated
from agent.safety.manifest import UNKNOWN, ToolFacts
from agent.safety.provenance import Brought, Origins, cautions, fetch_leak_of, leak_of, strangers, texts_of
from agent.safety.taint import DICTATED, Taint

Verdict = Literal["allow", "ask", "deny"]
OUTWARD: frozenset[ToolClass] = frozenset({"send", "delete"})
"""What an instruction hidden in a mail would want: nothing granted in advance covers it once a session is tainted."""
PROMPT_BUDGET = 20
"""Questions without a yes, unless the settings say otherwise: more than one task has, fewer than wear a person down."""
LOOKUPS = 20
"""Questions to the web that a session which knows private things may put unasked: each could carry a few letters of them."""
FORBIDDEN = "Variet never does this. Nothing was done."
READ_ONLY = (
    "This conversation can only read now: it has read outside text, and too many of its questions had no yes. "
    "Nothing was done. Tell the person to answer what waits, or to begin a new conversation."
)
ASKED: Mapping[Answer, str] = {
    "open": "The same call waits for the person's answer already. Nothing was done.",
    "no": "The person has said no to this very call. Nothing was done.",
    "expired": "Nobody answered when this very call was asked about. Nothing was done.",
    "taken back": "The person has taken back this very call. Nothing was done.",
}
"""What the model is told when it makes a call again in the same turn."""


class Ruling(NamedTuple):
    """A verdict and its reason, as shown and stored."""

    verdict: Verdict
    reason: str
    told: str = ""
    """What the model is told of a refusal; empty: that the settings do not allow it."""


class Plan(NamedTuple):
    """A call, as it was made and as it would run."""

    tool: str
    made: Mapping[str, object]
    """Its arguments as the model made them."""
    arguments: str
    """Canonical JSON of what would run."""
    lines: tuple[tuple[str, str], ...]
    """What would be shown of it."""
    taken: tuple[Taken, ...] = ()
    """Of its arguments, those that were given by handle."""


class Telling(NamedTuple):
    """What a call would tell the web, and to whom: a search hears its query, and the site of an address that address."""

    tool: str
    argument: str
    value: str


@dataclass(frozen=True)
class Policy:
    """What a turn decides its calls by."""

    facts: Mapping[str, ToolFacts] = field(default_factory=dict[str, ToolFacts])
    overrides: Mapping[str, Verdict] = field(default_factory=dict[str, Verdict])
    """The settings' word on single tools."""
    prompt_budget: int = PROMPT_BUDGET

    def rule_on(
        self, tool: str, arguments: Mapping[str, object], *, grants: frozenset[ToolClass], taint: Taint, taken: Sequence[Taken] = ()
    ) -> Ruling:
        """Decide a call as the model made it; see `decide`. `taken`: its arguments that were given by handle, their values in place."""
        facts = self.facts.get(tool, UNKNOWN).of(arguments)
        private = (each for each in taken if each.argument in facts.outward and each.is_outside and not self._is_public(each.tool))
        leak = next((f"it passes on what {each.tool} brought" for each in private), "")
        told = ((Telling(tool, name, _told(arguments, name)), name in facts.addresses) for name in facts.outward)
        leaks = (self._leak(telling, taint, fetch_leak_of if is_address else leak_of) for telling, is_address in told if telling.value)
        leak = leak or next(filter(None, leaks), "")
        is_spent = taint.is_tainted and taint.asked.is_spent(self.prompt_budget)
        return decide(facts, override=self.overrides.get(tool), grants=grants, taint=taint, leak=leak, is_spent=is_spent)

    def rule_on_prepared(self, first: Ruling, tool: str, arguments: str, lines: Iterable[tuple[str, str]], taint: Taint) -> Ruling:
        """Decide once more, now that it is known what exactly would happen.

        1. It was allowed, sends, and would reach somebody whom the person did not type: Ask, whatever was granted.
        2. It is to be asked, and was asked about already in this turn, or the person took it back: Deny.
        3. Else as before.

        Args:
            first: the ruling on the call as it was made, or that the person dictated it.
            tool: its name.
            arguments: canonical JSON of what would run.
            lines: what would be shown of it.
            taint: of the session.
        """
        if first.verdict == "allow" and self.facts.get(tool, UNKNOWN).tool_class == "send":  # 1
            reached = strangers(_values(arguments, lines), taint.origins(self._is_public))
            first = Ruling("ask", f"the person did not type {reached[0]}") if reached else first
        before = taint.asked.answer_to(question_of(tool, arguments))
        if before == "taken back" or (first.verdict == "ask" and before):  # 2
            return Ruling("deny", f"asked about in this turn already ({before})", ASKED[before])
        return first  # 3

    def if_dictated(self, first: Ruling, plan: Plan, *, taint: Taint) -> Ruling:
        """The ruling on a call, now that it can be compared with what the person typed for this turn.

        1. It is not asked about, or not only because outside text was read, or the settings do not allow its tool by name: as before.
           What a script granted for one turn is no such word.
        2. A call of this tool has run unasked in this turn already: as before, since one message dictates one.
        3. Something of it came by handle from what was read: as before, whatever its words.
        4. Every word of it is the person's own (`agent.safety.dictated`): Allow.
        """
        facts = self.facts.get(plan.tool, UNKNOWN)
        how = facts.dictation
        if first.verdict != "ask" or how is None or not taint.is_tainted:  # 1
            return first
        clean = decide(facts.of(plan.made), override=self.overrides.get(plan.tool), grants=frozenset(), taint=Taint())
        is_from_outside = any(each.is_outside for each in plan.taken)
        if clean.verdict != "allow" or plan.tool in taint.dictated or is_from_outside:  # 1, 2, 3
            return first
        is_own = is_dictated(
            how,
            taint.said,
            plan.made,
            values=_values(plan.arguments, plan.lines),
            lines=plan.lines if facts.prepares else (),
            has_written=taint.has_written,
        )
        return Ruling("allow", DICTATED) if is_own else first  # 4

    def cautions(
        self, tool: str, arguments: str, lines: Iterable[tuple[str, str]], taint: Taint, taken: Sequence[Taken] = ()
    ) -> tuple[tuple[str, str], ...]:
        """What a person should know before saying yes, as more lines of the question."""
        facts = self.facts.get(tool, UNKNOWN)
        known = cautions(_values(arguments, lines), taint.origins(self._is_public)) if facts.tool_class == "send" else ()
        known += tuple(_label(each) for each in taken if each.is_outside)
        known += facts.change.lines if facts.change is not None else ()
        is_last = taint.is_tainted and len(taint.asked.without_yes) == self.prompt_budget - 1
        return (*known, ("Careful", "without a yes to this, the conversation can only read from here on")) if is_last else known

    def _leak(self, telling: Telling, taint: Taint, judge: Callable[[str, Origins], str]) -> str:
        origins = taint.origins(self._is_public)
        leak = "" if any(_was_told(telling, each) for each in origins.public) else judge(telling.value, origins)
        if not leak and origins.private and telling.value not in origins.typed and taint.public_lookups(self._is_public) >= LOOKUPS:
            return f"the web was asked {LOOKUPS} times already"
        return leak

    def _is_public(self, tool: str) -> bool:
        return self.facts.get(tool, UNKNOWN).kind == "public read"


def _was_told(telling: Telling, each: Brought) -> bool:
    """Whether the call that brought this told the same already: told again, whoever heard it learns nothing, and nobody else does."""
    if each.tool != telling.tool or not each.asked:
        return False
    made: dict[str, object] = json.loads(each.asked)
    return _told(made, telling.argument) == telling.value


def _told(arguments: Mapping[str, object], name: str) -> str:
    return str(arguments.get(name) or "")


def _label(taken: Taken) -> tuple[str, str]:
    return "Careful", f"{taken.argument} was not written but taken from what {taken.tool} brought: {taken.value}"


def _values(arguments: str, lines: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    return (*texts_of(arguments), *(value for label, value in lines if label not in _OWN_LINES))


_OWN_LINES = frozenset({"From", "Calendar", "Account"})
"""Lines that name the person's own accounts, which may be called after an address."""


def decide(
    facts: ToolFacts,
    *,
    override: Verdict | None,
    grants: frozenset[ToolClass],
    taint: Taint,
    leak: str = "",
    is_spent: bool = False,
) -> Ruling:
    """Decide one call.

    1. Nobody may have it done: Deny.
    2. The settings deny it: Deny.
    3. The session may ask no more, and this would do more than read: Deny.
    4. The settings ask for it, or it is not what it was when it was first used: Ask.
    5. A pinned tool that only reads, and whose server does not say otherwise: Allow, unless it would tell the web something; then Ask.
    6. It runs a program: Ask. Nothing allows that in advance, since nobody knows what a program does.
    7. It sends or deletes, and the session has read outside text: Ask, whatever was granted in advance.
    8. It sends what was written before: Ask, since an outsider may have had it written.
    9. The settings allow it: Allow.
    10. Its class was granted in advance and the tool is pinned (a class is only known of those): Allow.
    11. Anything else: Ask.

    Args:
        facts: from the manifest.
        override: the settings' word on this tool, if any.
        grants: classes granted in advance for this turn.
        taint: of the session, when the model made the call.
        leak: why what it would tell the web must not be told unasked.
        is_spent: the session has asked too often without a yes.
    """
    if facts.is_forbidden:  # 1
        return Ruling("deny", "nobody may have this done", FORBIDDEN)
    if override == "deny":  # 2
        return Ruling("deny", "the settings deny this tool")
    if is_spent and (leak or not facts.only_reads):  # 3
        return Ruling("deny", "too many questions of this session had no yes", READ_ONLY)
    if override == "ask":  # 4
        return Ruling("ask", "the settings ask for this tool")
    if facts.change is not None:  # 4
        return Ruling("ask", "its server describes it otherwise than when it was first used")
    if facts.only_reads:  # 5
        return Ruling("ask", f"it would tell the web: {leak}") if leak else Ruling("allow", "it only reads")
    return _decide_effect(facts, override, grants, taint)


def _decide_effect(facts: ToolFacts, override: Verdict | None, grants: frozenset[ToolClass], taint: Taint) -> Ruling:
    if facts.tool_class == "run":  # 6
        return Ruling("ask", "it runs a program, which is asked for each time")
    if facts.tool_class in OUTWARD and taint.is_tainted:  # 7
        return Ruling("ask", f"the session has read outside text ({', '.join(taint.sources)})")
    if facts.sends_stored:  # 8
        return Ruling("ask", "it sends what was written before")
    if override == "allow":  # 9
        return Ruling("allow", "the settings allow this tool")
    if facts.is_pinned and not facts.is_doubted and facts.tool_class in grants:  # 10
        return Ruling("allow", f"{facts.tool_class} was granted in advance")
    if not facts.is_pinned:  # 11
        return Ruling("ask", "nothing is known of this tool")
    return Ruling("ask", "its server says that it does more than read" if facts.is_doubted else f"{facts.tool_class} is asked for")  # 11
