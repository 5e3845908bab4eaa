"""Whether a call carries the agent service's grant: a seal over exactly this call, good once and for a short time.

Pure. The service makes a key when it starts this process, and seals each call that its policy and the person have let through. A
call of any other client has no seal, and neither has what a model, a mail or an elicited "yes" says of itself.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcp_servers.errors import Refusal

LONGEST_S = 3600
"""No service seals a call for longer: a seal that says so is not one of its own making."""
INVALID = "The approval that came with this call is not valid. Nothing was sent. Ask the person again."
OTHER_CALL = "The approval that came with this call was given for another one. Nothing was sent. Ask the person again."
EXPIRED = "The approval of this call has expired. Nothing was sent. Ask the person again."
USED = "The approval of this call has been used already. Nothing more was sent. Ask the person again."
_HEX = {"nonce": 32, "digest": 64, "seal": 64}


@dataclass(frozen=True)
class Grant:
    """A seal that was checked. Whether it was used before, the ledger knows."""

    nonce: str
    digest: str
    """Of the call that it is for."""
    expires_at: int
    """Epoch seconds."""


def seal_of(key: str, grant: Grant) -> str:
    """HMAC-SHA256 of a grant under the key, in hexadecimal."""
    text = f"variet/grant 1\n{grant.digest}\n{grant.nonce}\n{grant.expires_at}"
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def check_grant(given: Mapping[str, Any], *, key: str, digest: str, now: float) -> Grant:
    """The grant of a call, if it is one.

    1. It has another form, or ends later than any service says: not valid.
    2. Its seal is not the key's: not valid.
    3. It is for another call: refused.
    4. Its time is over: refused.

    Args:
        given: as it came, in the call's `_meta`.
        key: that the service handed over when it started this process.
        digest: of the call that is to run.
        now: epoch seconds.

    Raises:
        Refusal: with which of these it was.
    """
    texts = {name: str(given.get(name, "")) for name in _HEX}
    expires_at: object = given.get("expires_at")
    is_formed = all(re.fullmatch(f"[0-9a-f]{{{length}}}", texts[name]) for name, length in _HEX.items())
    if not is_formed or not isinstance(expires_at, int) or not 0 < expires_at <= now + LONGEST_S:  # 1
        raise Refusal(INVALID)
    grant = Grant(texts["nonce"], texts["digest"], expires_at)
    if not hmac.compare_digest(seal_of(key, grant), texts["seal"]):  # 2
        raise Refusal(INVALID)
    if grant.digest != digest:  # 3
        raise Refusal(OTHER_CALL)
    if grant.expires_at <= now:  # 4
        raise Refusal(EXPIRED)
    return grant
