"""OAuth 2 for an installed program as Google speaks it: what is sent, and what came back. Pure.

Authorization code with PKCE (S256) and a state, over a redirect to this machine. Scopes are not asked for together with earlier ones: a
token is good for what it was asked for and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, cast
from urllib.parse import parse_qs, urlencode, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

REDIRECT_PATH = "/signed-in"
MAX_LIFE_S = 86_400
"""No access token is believed to be good for longer, whatever is said of it."""


@dataclass(frozen=True)
class Client:
    """The person's own client."""

    id: str
    secret: SecretStr | None = None


@dataclass(frozen=True)
class Asked:
    """One login under way."""

    client: Client
    redirect: str
    scopes: tuple[str, ...]
    state: SecretStr
    verifier: SecretStr


class Tokens(BaseModel):
    """What the token address gives out."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    access_token: SecretStr = Field(min_length=1)
    expires_in: int = Field(gt=0)
    """Seconds."""
    refresh_token: SecretStr | None = None
    scope: str = ""
    """What was allowed, which may be less than was asked for."""

    @property
    def life_s(self) -> int:
        return min(self.expires_in, MAX_LIFE_S)

    def lacking(self, wanted: tuple[str, ...]) -> tuple[str, ...]:
        """What was asked for and not allowed; a person may untick a box."""
        allowed = set(self.scope.split())
        return tuple(scope for scope in wanted if scope not in allowed)


class Trouble(Enum):
    """What an answer that is no token means."""

    BUSY = "busy"
    """Asking again may help."""
    GRANT_GONE = "grant gone"
    """Revoked, expired, or used up."""
    CLIENT_WRONG = "client wrong"
    OTHER = "other"


@dataclass(frozen=True)
class Denied:
    """The person, or Google for them, said no."""

    reason: str
    """A word of the protocol's, such as `access_denied`."""


def challenge_of(verifier: SecretStr) -> str:
    """PKCE's S256."""
    digest = hashlib.sha256(verifier.get_secret_value().encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def authorization_url(address: str, asked: Asked) -> str:
    """Where the person is sent. It holds nothing that could be used without what this process keeps for itself."""
    query = {
        "client_id": asked.client.id,
        "redirect_uri": asked.redirect,
        "response_type": "code",
        "scope": " ".join(asked.scopes),
        "state": asked.state.get_secret_value(),
        "code_challenge": challenge_of(asked.verifier),
        "code_challenge_method": "S256",
        # A refresh token comes only with both, also when the person has said yes before.
        "access_type": "offline",
        "prompt": "consent",
    }
    return f"{address}{'&' if urlsplit(address).query else '?'}{urlencode(query)}"


def redirected(target: str, state: SecretStr) -> SecretStr | Denied | None:
    """What a request to the redirect address brought: the code, a no, or None for what is not of this login.

    Args:
        target: path and query as they came.
        state: what this login's must be.
    """
    parts = urlsplit(target)
    query = parse_qs(parts.query)
    given = query.get("state", [""])
    if parts.path != REDIRECT_PATH or len(given) != 1 or not hmac.compare_digest(given[0].encode(), state.get_secret_value().encode()):
        return None
    if codes := query.get("code"):
        return SecretStr(codes[0]) if len(codes) == 1 else None
    return Denied(_word(query.get("error", [""])[0]))


def code_form(asked: Asked, code: SecretStr) -> Mapping[str, str]:
    """What is sent for the first tokens."""
    return {
        **_client_form(asked.client),
        "grant_type": "authorization_code",
        "code": code.get_secret_value(),
        "redirect_uri": asked.redirect,
        "code_verifier": asked.verifier.get_secret_value(),
    }


def refresh_form(client: Client, refresh_token: SecretStr) -> Mapping[str, str]:
    """What is sent for another access token."""
    return {**_client_form(client), "grant_type": "refresh_token", "refresh_token": refresh_token.get_secret_value()}


def tokens_of(body: bytes) -> Tokens | None:
    """The tokens of an answer, or None where it holds none. What it holds is never part of an error."""
    try:
        return Tokens.model_validate_json(body)
    except ValidationError:
        return None


def trouble_of(status: int, body: bytes) -> tuple[Trouble, str]:
    """What an answer other than 200 means, and the protocol's word for it."""
    if status in (408, 429) or status >= 500:
        return Trouble.BUSY, str(status)
    word = _error_word(body)
    if word in ("invalid_grant", "invalid_token"):
        return Trouble.GRANT_GONE, word
    if word in ("invalid_client", "unauthorized_client", "deleted_client", "org_internal"):
        return Trouble.CLIENT_WRONG, word
    return Trouble.OTHER, word or str(status)


def _client_form(client: Client) -> dict[str, str]:
    return {"client_id": client.id, **({"client_secret": client.secret.get_secret_value()} if client.secret else {})}


def _error_word(body: bytes) -> str:
    try:
        found: Any = json.loads(body)
    except ValueError:
        return ""
    if not isinstance(found, dict):
        return ""
    word = cast("dict[str, Any]", found).get("error")
    return _word(word) if isinstance(word, str) else ""


def _word(text: str) -> str:
    # Only the protocol's own words may be shown: anything else could be a text for a model, or a secret.
    return text if 0 < len(text) <= 40 and text.isascii() and text.replace("_", "").isalpha() else ""
