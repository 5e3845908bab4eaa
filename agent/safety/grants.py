"""The agent service's grant for one call: what the outbox wants to see before anything leaves.

Pure. The service makes a key each time it starts the outbox; only a call that the turn has decided to run is sealed with it.
What is sealed is the call's digest, so that nothing else can be sent with it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

from agent.safety.approvals import digest_of

GRANT_KEY, HOST_KEY = "variet/grant", "variet/host"
"""In a call's `_meta`."""
KEY_VARIABLE = "VARIET_OUTBOX_KEY"
"""In the environment of the outbox, which takes it out as it starts."""
GRANT_TTL_S = 120
"""From the seal to the outbox's look at it: a start and a busy machine, no more."""


def granted(tool: str, arguments: Mapping[str, Any], meta: Mapping[str, Any], *, key: SecretStr, nonce: str, now: float) -> dict[str, Any]:
    """A call's `_meta` with its grant.

    Args:
        tool: the server's own name for it.
        arguments: exactly those that will be sent.
        meta: with the prepared call's `host`, if it has one.
        key: of the process that it goes to.
        nonce: 32 hexadecimal digits, never used before.
        now: epoch seconds.
    """
    digest = digest_of(tool, arguments, meta.get(HOST_KEY) or {})
    expires_at = int(now) + GRANT_TTL_S
    text = f"variet/grant 1\n{digest}\n{nonce}\n{expires_at}"
    seal = hmac.new(key.get_secret_value().encode(), text.encode(), hashlib.sha256).hexdigest()
    return {**meta, GRANT_KEY: {"digest": digest, "nonce": nonce, "expires_at": expires_at, "seal": seal}}
