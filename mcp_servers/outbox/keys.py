"""The key that the agent service hands over as it starts this process, taken out of the environment: no child inherits it."""

from __future__ import annotations

from collections.abc import MutableMapping

from pydantic import SecretStr

KEY_VARIABLE = "VARIET_OUTBOX_KEY"


def take_key(environ: MutableMapping[str, str]) -> SecretStr | None:
    """The key, which is no longer in the environment afterwards; None when nobody handed one over."""
    key = environ.pop(KEY_VARIABLE, "")
    return SecretStr(key) if key else None
