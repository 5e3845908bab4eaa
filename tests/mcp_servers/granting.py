"""Calls that carry the agent service's grant, sealed by the agent's own code."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import SecretStr

from agent.safety.grants import GRANT_KEY, HOST_KEY, granted
from mcp_servers.protocol.calls import Call, Outcome, Plan, digest_of
from tests.mcp_servers.calling import NOW

KEY = SecretStr("5e" * 32)


def sealed_call(
    tool: str,
    arguments: Mapping[str, Any],
    host: Mapping[str, Any],
    *,
    key: SecretStr = KEY,
    nonce: str = "",
    now: float | None = None,
    sealed: Mapping[str, Any] | None = None,
) -> Call:
    """As the outbox receives it; `sealed` are other arguments than those that are sent, for a grant that is not this call's."""
    meta = granted(
        tool, sealed or arguments, {HOST_KEY: host}, key=key, nonce=nonce or secrets.token_hex(16), now=time.time() if now is None else now
    )
    return Call(arguments, NOW, host, digest_of(tool, arguments, host), meta[GRANT_KEY])


def approved(tool: Callable[[Call], Plan], plan: Plan) -> Outcome:
    """The approved call, as the agent service makes it."""
    return tool(sealed_call(tool.__name__, plan.arguments, plan.host)).execute()
