"""The token that other programs show to the gateway: made once, kept in the home where only its owner can read it."""

from __future__ import annotations

import secrets

from pydantic import SecretStr

from config.credentials import read_secret, write_secret
from config.paths import Home

NAME = "gateway_token"


def gateway_token(home: Home) -> SecretStr:
    """The home's token, made now where there is none.

    Raises:
        CredentialError: there is one that others can read.
    """
    kept = read_secret(NAME, home=home)
    if kept is not None:
        return kept
    fresh = SecretStr(f"vg_{secrets.token_urlsafe(32)}")
    write_secret(NAME, fresh, home=home)
    return fresh
