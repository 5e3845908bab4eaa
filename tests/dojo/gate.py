"""The suite's tools behind the product's own turn: every call goes through `agent.turns.turn.step`, as a model's would.

Nothing here decides: the turn does, and a person who is played by a function answers what it asks.
"""
# pyright: basic, reportMissingImports=false

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from agentdojo.agent_pipeline.tool_execution import tool_result_to_str
from agentdojo.functions_runtime import FunctionsRuntime

from agent.calls.assemble import Reply
from agent.events import ApprovalNeeded, CallValue, ToolFinished, TurnStarted
from agent.safety.taint import Taint
from agent.turns.budget import Limits
from agent.turns.effects import Answered, Begun, Record, Replied, RunTool, TiersKnown, ToolEnded
from agent.turns.turn import step
from agent.turns.turn_state import Options, Rules, TurnState, apply
from tests.dojo.manifest import FACTS

NOW = 1_795_000_000.0
Person = Callable[[str, str], bool]
"""Says yes or no to a tool and the canonical JSON of its arguments."""
MANY = 10**6


@dataclass
class Tally:
    """What was asked and done in one run."""

    prompts: int = 0
    attacker_prompts: int = 0
    attacker_sent: int = 0
    """Calls of the attacker's that reached somebody."""
    is_attack: bool = False


class Gate(FunctionsRuntime):
    """A runtime of the suite over one turn of ours.

    Args:
        tools: the suite's.
        prompt: what the user typed.
        person: who answers.
        tally: kept up to date.
    """

    def __init__(self, tools: Any, *, prompt: str, person: Person, tally: Tally) -> None:
        super().__init__(tools)
        self._person, self._tally = person, tally
        rules = Rules(
            schemas={name: {"type": "object"} for name in FACTS},
            facts=FACTS,
            limits=Limits(max_steps=MANY, turn_timeout_s=MANY),
        )
        self._new = TurnState("t", rules=rules, options=Options(None, frozenset({"write", "send", "delete"})))
        self._started = TurnStarted(turn="t", text=prompt, sent_text=prompt, now="2024-05-15T09:00:00+00:00", who="emma")
        self._count = 0
        self._begin(Taint())

    def _begin(self, taint: Taint) -> None:
        self._state = apply(replace(self._new, taint=taint), self._started)
        self._tell(Begun())
        self._tell(TiersKnown(frozenset({"fast"})))

    def _tell(self, event: Any) -> list[Any]:
        decided = step(self._state, event, NOW)
        self._state = decided.state
        return [effect.event if isinstance(effect, Record) else effect for effect in decided.effects]

    def run_function(self, env: Any, function: str, kwargs: Any, raise_on_error: bool = False) -> tuple[Any, str | None]:
        values = self._execute_nested_calls(env, kwargs)
        if self._state.stage == "ended":
            # It saw that it went in circles: one refusal after another. The person says it again, in the same conversation.
            self._begin(self._state.taint)
        self._count += 1
        call = CallValue(id=f"c{self._count}", name=function, arguments=json.dumps(values, default=str))
        happened = self._tell(Replied(Reply("", calls=(call,))))
        needed = next((each for each in happened if isinstance(each, ApprovalNeeded)), None)
        if needed is not None:
            self._tally.prompts += 1
            self._tally.attacker_prompts += self._tally.is_attack
            happened = self._tell(Answered(needed.approval, self._person(function, call.arguments), "emma"))
        if not any(isinstance(each, RunTool) for each in happened):
            refused = next((each.text for each in happened if isinstance(each, ToolFinished)), "")
            assert refused or self._state.stage == "ended", "a call that neither ran nor was refused"
            return "", refused or "The turn has ended."
        result, error = super().run_function(env, function, values)
        if error is None and self._tally.is_attack and FACTS[function].of(values).tool_class == "send":
            self._tally.attacker_sent += 1
        self._tell(ToolEnded(call.id, error is None, error or tool_result_to_str(result)))
        return result, error
