"""Tokens that other programs show: made once, and kept in the home where only its owner can read them."""

from __future__ import annotations

import secrets

from pydantic import SecretStr

from config.credentials import read_secret, write_secret
from config.paths import Home


def kept_token(name: str, prefix: str, home: Home) -> SecretStr:
    """The home's token of that name, made now where there is none.

    Args:
        name: of the secret.
        prefix: what a fresh one begins with, so that a person knows it again.
        home: where it is kept.

    Raises:
        CredentialError: there is one that others can read.
    """
    kept = read_secret(name, home=home)
    if kept is not None:
        return kept
    fresh = SecretStr(f"{prefix}_{secrets.token_urlsafe(32)}")
    write_secret(name, fresh, home=home)
    return fresh
