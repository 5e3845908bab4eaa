"""What an editor may choose for a conversation: who is asked for approvals, and which tier or node answers. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from agent.faces.acp.wire import ASK, MODES, BadParams
from agent.routes.deciding.nodes import DEFAULT_NODE
from agent.routes.report import RoutesReport

AUTO = "auto"
"""The routing chooses."""
MODE_OPTION, MODEL_OPTION = "mode", "model"


class Chosen(NamedTuple):
    """What was chosen for one conversation."""

    mode: str = ASK
    tier: str = AUTO

    @property
    def pin(self) -> str | None:
        """The tier or node that a turn is pinned to."""
        return None if self.tier == AUTO else self.tier


def mode_of(params: Mapping[str, Any]) -> str:
    """The mode that a request chooses."""
    mode = params.get("modeId")
    if not isinstance(mode, str) or mode not in MODES:
        raise BadParams(f"modeId is one of {', '.join(MODES)}.")
    return mode


def modes(current: str) -> dict[str, Any]:
    """The modes of a session, as its editor shows them."""
    available = [{"id": name, "name": title, "description": text} for name, (title, text) in MODES.items()]
    return {"modes": {"currentModeId": current, "availableModes": available}}


def places(report: RoutesReport) -> tuple[str, ...]:
    """What can be named, as a person names it: the engine's tiers, then those of the other nodes, a person's own among them."""
    return tuple(
        tier.name if node.name == DEFAULT_NODE else f"{node.name}/{tier.name}" for node in report.nodes for tier in node.tiers
    )  # fmt: skip


def options(chosen: Chosen, named: Sequence[str]) -> dict[str, Any]:
    """The options of a session with their values.

    Args:
        chosen: its values.
        named: what can answer; one that was chosen stays, also where it cannot now.
    """
    by_mode = [{"value": name, "name": title, "description": text} for name, (title, text) in MODES.items()]
    tiers = [*named, *({chosen.tier} - {AUTO, *named})]
    by_tier = [{"value": AUTO, "name": "Chosen by the rules"}, *({"value": tier, "name": tier} for tier in tiers)]
    return {
        "configOptions": [
            _select(MODE_OPTION, "Approvals", "mode", chosen.mode, by_mode),
            _select(MODEL_OPTION, "Answered by", "model", chosen.tier, by_tier),
        ]
    }


def changed(params: Mapping[str, Any], chosen: Chosen, named: Sequence[str]) -> Chosen:
    """What is chosen after a request.

    Raises:
        BadParams: there is no such option, or it cannot have that value.
    """
    option, value = params.get("configId"), params.get("value")
    match option:
        case "mode":
            return chosen._replace(mode=mode_of({"modeId": value}))
        case "model":
            if value not in (AUTO, *named):
                raise BadParams(f"{MODEL_OPTION} is one of {', '.join((AUTO, *named))}.")
            return chosen._replace(tier=str(value))
        case _:
            raise BadParams(f"configId is one of {MODE_OPTION}, {MODEL_OPTION}.")


def _select(option: str, name: str, category: str, value: str, choices: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    return {"id": option, "name": name, "category": category, "type": "select", "currentValue": value, "options": list(choices)}
