"""A home with a Google client, whose Google is a fake, for the tests of accounts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from config.credentials import write_secret
from config.paths import Home
from config.shapes.google import GoogleSection
from mcp_servers.accounts.asking import TokenAddress
from mcp_servers.accounts.bearer import CLIENT_SECRET as CLIENT_SECRET_NAME
from mcp_servers.accounts.bearer import Bearers, client_of
from mcp_servers.accounts.book import Book
from mcp_servers.accounts.keeping import Keepers
from mcp_servers.accounts.model import SCOPES, Grant, Keeping, ScopeSet
from tests.fakes.google_oauth import CLIENT_SECRET, FakeGoogleOAuth

PASSPHRASE = "canary passphrase of nobody"


@dataclass
class Desk:
    """What a test has at hand."""

    home: Home
    google: FakeGoogleOAuth

    @property
    def section(self) -> GoogleSection:
        return GoogleSection.model_validate(self.google.settings())

    @property
    def book(self) -> Book:
        return Book(self.home)

    @property
    def keepers(self) -> Keepers:
        return Keepers(self.home, lambda: SecretStr(PASSPHRASE))

    def bearers(self, pauses: list[float] | None = None) -> Bearers:
        """Access tokens by the fake's time, without waiting between attempts."""
        address = TokenAddress(self.section.token_url, self.section.revocation_url, pause=(pauses if pauses is not None else []).append)
        client = client_of(self.section, self.home)
        return Bearers(self.book, self.keepers, address, lambda: client, clock=lambda: self.google.clock_s)

    def has_allowed(self, account: str, scopes: ScopeSet, kept: Keeping = "plain-file") -> Grant:
        """As if a person had logged in."""
        grant = Grant(account=account, scopes=scopes, kept=kept)
        self.keepers.of(kept).keep(grant.key, SecretStr(self.google.grants(" ".join(SCOPES[scopes]))))
        self.book.add(grant)
        return grant


class OAuthTokens(dict[str, frozenset[str]]):
    """What a service of the account takes: what the other fake has given out, as long as it is good."""

    def __init__(self, oauth: FakeGoogleOAuth) -> None:
        super().__init__()
        self._oauth = oauth

    def get(self, key: str, default: Any = None) -> Any:
        scope, ends = self._oauth.access_tokens.get(key, ("", 0.0))
        return frozenset(name.rpartition("/")[2] for name in scope.split()) if self._oauth.clock_s < ends else default


def desk_of(home: Home, google: FakeGoogleOAuth) -> Desk:
    """A desk whose home knows the fake."""
    write_secret(CLIENT_SECRET_NAME, SecretStr(CLIENT_SECRET), home=home)
    lines = [f"{key} = {json.dumps(value)}" for key, value in google.settings().items()]
    home.agent_toml.write_text("[google]\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return Desk(home, google)
