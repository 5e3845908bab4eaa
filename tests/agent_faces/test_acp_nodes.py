"""An editor is told when other places can answer than it was told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, cast

import anyio
import pytest

from agent.errors import AgentError
from agent.faces.acp import agent as acp_agent
from agent.faces.acp.agent import AcpAgent
from agent.faces.link import Link
from agent.routes.deciding.nodes import NodeState, TierState
from agent.routes.report import RoutesReport, node_row
from tests.agent_faces.test_given_pictures import Service


class Changing(Service):
    """One whose tiers are others at each look."""

    def __init__(self, *served: tuple[str, ...]) -> None:
        super().__init__("chat")
        self.served = list(served)

    async def open_session(self) -> str:
        return "s-1"

    async def routes(self, limit: int) -> RoutesReport:
        names = self.served.pop(0) if len(self.served) > 1 else self.served[0]
        if not names:
            raise AgentError("The nodes cannot be told.")
        state = NodeState(tiers={name: TierState(name) for name in names})
        return RoutesReport(nodes=(node_row(state, is_counted=False, calls=0, money=0, bounds=(None, None)),), decisions=())


@pytest.mark.anyio
async def test_an_editors_sessions_are_told_once_when_other_places_can_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acp_agent, "NODES_LOOK_S", 0)
    service, written = Changing(("fast",), ("fast",), (), ("fast", "big")), list[dict[str, Any]]()

    async def write(line: bytes) -> None:
        written.append(json.loads(line))

    async def lines() -> AsyncIterator[bytes]:
        yield b'{"jsonrpc":"2.0","id":1,"method":"session/new","params":{"cwd":"/","mcpServers":[]}}\n'
        for _ in range(200):
            await anyio.lowlevel.checkpoint()

    with anyio.fail_after(20):
        await AcpAgent(cast("Link", service), write).run(lines())
    opened, changed = written
    values = [
        [choice["value"] for choice in told["configOptions"][1]["options"]] for told in (opened["result"], changed["params"]["update"])
    ]
    assert values == [["auto", "fast"], ["auto", "fast", "big"]]
    assert (changed["method"], changed["params"]["update"]["sessionUpdate"]) == ("session/update", "config_option_update")
