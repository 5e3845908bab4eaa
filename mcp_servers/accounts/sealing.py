"""A text sealed under a passphrase: scrypt and AES-256-GCM, bound to the name that it is kept under.

The library is loaded when something is sealed or opened: a server that has no account pays nothing for it.
"""

from __future__ import annotations

import base64
import os

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

KEY_BYTES = 32
SALT_BYTES = 16
NONCE_BYTES = 12
COST = 2**16
"""Of scrypt: 64 MiB and some tenths of a second for each guess."""


class WrongPassphrase(Exception):
    """Another passphrase, another name, or a changed file: it cannot be told which."""


class _Sealed(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: int
    salt: str
    nonce: str
    box: str


def seal(text: SecretStr, name: str, passphrase: SecretStr) -> str:
    """The text as JSON that only who has the passphrase can read."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    salt, nonce = os.urandom(SALT_BYTES), os.urandom(NONCE_BYTES)
    box = AESGCM(_key(passphrase, salt)).encrypt(nonce, text.get_secret_value().encode(), name.encode())
    parts = (base64.b64encode(part).decode("ascii") for part in (salt, nonce, box))
    return _Sealed(version=1, **dict(zip(("salt", "nonce", "box"), parts, strict=True))).model_dump_json()


def unseal(sealed: str, name: str, passphrase: SecretStr) -> SecretStr:
    """The text.

    Raises:
        WrongPassphrase: it cannot be read.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        found = _Sealed.model_validate_json(sealed)
        salt, nonce, box = (base64.b64decode(part, validate=True) for part in (found.salt, found.nonce, found.box))
        return SecretStr(AESGCM(_key(passphrase, salt)).decrypt(nonce, box, name.encode()).decode())
    except (InvalidTag, ValidationError, ValueError):
        raise WrongPassphrase from None


def _key(passphrase: SecretStr, salt: bytes) -> bytes:
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    return Scrypt(salt=salt, length=KEY_BYTES, n=COST, r=8, p=1).derive(passphrase.get_secret_value().encode())
