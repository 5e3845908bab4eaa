"""Calls as a server receives them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mcp_servers.errors import Refusal
from mcp_servers.protocol.calls import Call, Outcome, Plan

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 21, 9, 15, tzinfo=BERLIN)


def call(**arguments: Any) -> Call:
    return Call(arguments, NOW)


def text_of(tool: Callable[[Call], Outcome | Plan], **arguments: Any) -> str:
    """The result's text; a write is carried out."""
    done = tool(call(**arguments))
    return (done.execute() if isinstance(done, Plan) else done).text


def carried_out(tool: Callable[[Call], Plan], plan: Plan) -> Outcome:
    """The approved call, as the host makes it."""
    return tool(Call(plan.arguments, NOW, plan.host)).execute()


def refusal_of(tool: Callable[[Call], Outcome | Plan], **arguments: Any) -> str:
    with pytest.raises(Refusal) as refused:
        text_of(tool, **arguments)
    return str(refused.value)
