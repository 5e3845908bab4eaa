"""The token that other programs show to the gateway."""

from __future__ import annotations

from pydantic import SecretStr

from agent.kept_token import kept_token
from config.paths import Home

NAME = "gateway_token"


def gateway_token(home: Home) -> SecretStr:
    """The home's token, made now where there is none.

    Raises:
        CredentialError: there is one that others can read.
    """
    return kept_token(NAME, "vg", home)
