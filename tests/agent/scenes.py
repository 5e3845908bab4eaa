"""A conversation in which a model obeys whatever it reads: what it tries goes through the turn, and what comes of it is one word."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agent.calls.assemble import Reply
from agent.events import ApprovalNeeded, CallValue, ToolClass, ToolFinished, TurnStarted
from agent.safety.manifest import MANIFEST, UNKNOWN, ToolFacts, facts_of
from agent.safety.policy import PROMPT_BUDGET, Verdict
from agent.safety.taint import Taint
from agent.turns.budget import Limits
from agent.turns.effects import Answered, Begun, PrepareCall, Prepared, Record, Replied, RunTool, TiersKnown, ToolEnded, TurnInput
from agent.turns.turn import step
from agent.turns.turn_state import Options, Rules, TurnState, apply

NOW = 1_795_000_000.0
GRANTS: frozenset[ToolClass] = frozenset({"write", "send", "delete"})
FACTS: dict[str, ToolFacts] = {tool: facts for (_, tool), facts in MANIFEST.items()} | {"strange": UNKNOWN}
FACTS["create_filter"] = facts_of(None, "create_filter", {})


class Scene:
    """One turn after another, everything granted in advance that can be.

    Args:
        typed: what the person says first.
        taint: what an earlier part of the conversation left.
        budget: questions without a yes.
        overrides: the settings' word on tools.
        more: names of the host's own tools that are shown.
    """

    def __init__(
        self, typed: str, *, taint: Taint | None = None, budget: int = PROMPT_BUDGET, overrides: Mapping[str, Verdict] | None = None,
        more: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        rules = Rules(
            schemas={name: {"type": "object"} for name in (*FACTS, *more)},
            facts=FACTS,
            overrides=overrides or {},
            limits=Limits(max_steps=1000),
            prompt_budget=budget,
        )
        started = TurnStarted(turn="t", text=typed, sent_text=typed, now="2026-11-21T09:00:00+01:00", who="me")
        self.state = apply(TurnState("t", rules=rules, options=Options(None, GRANTS), taint=taint or Taint()), started)
        self.log: list[Any] = []
        self._count = 0
        self._tell(Begun())
        self._tell(TiersKnown(frozenset({"fast"})))

    @property
    def question(self) -> ApprovalNeeded:
        """The last one."""
        return [event for event in self.log if isinstance(event, ApprovalNeeded)][-1]

    @property
    def told(self) -> str:
        """What the model was told last."""
        return [event for event in self.log if isinstance(event, ToolFinished)][-1].text

    def _tell(self, event: TurnInput) -> list[Any]:
        decided = step(self.state, event, NOW)
        self.state = decided.state
        happened = [effect.event if isinstance(effect, Record) else effect for effect in decided.effects]
        self.log += happened
        return happened

    def read(self, tool: str, text: str, fields: Mapping[str, Any] | None = None) -> None:
        """The model reads something that anyone could have written; `fields` are its structured content."""
        assert self.attempt(tool, {"what": f"{self._count}"}, result=text, fields=fields) == "ran"

    def attempt(
        self, tool: str, arguments: Mapping[str, Any], *, prepared: Mapping[str, Any] | None = None,
        lines: tuple[tuple[str, str], ...] = (), result: str = "Done.", answer: bool | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> str:  # fmt: skip
        """What becomes of a call: `ran`, `asked` or `refused`.

        Args:
            tool: its name.
            arguments: as the model makes it.
            prepared: the canonical arguments; None for the same.
            lines: what the server shows of it.
            result: what it answers if it runs.
            fields: its answer's structured content.
            answer: the person's, to a question; None to leave it open until the next one says no.
        """
        self._count += 1
        call = CallValue(id=f"c{self._count}", name=tool, arguments=json.dumps(arguments))
        happened = self._tell(Replied(Reply("", calls=(call,))))
        for effect in [each for each in happened if isinstance(each, PrepareCall)]:
            canonical = json.dumps(prepared or arguments, sort_keys=True, separators=(",", ":"))
            happened = self._tell(Prepared(effect.call, canonical, '{"uid":"u"}', f"Do {tool}", lines))
        asked = [each for each in happened if isinstance(each, ApprovalNeeded)]
        if asked:
            happened = self._tell(Answered(asked[0].approval, bool(answer), "me"))
        for effect in [each for each in happened if isinstance(each, RunTool)]:
            self._tell(ToolEnded(effect.call, ok=True, text=result, structured=fields))
        if asked:
            return "asked"
        return "ran" if any(isinstance(each, RunTool) for each in happened) else "refused"
