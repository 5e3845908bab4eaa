"""The short-lived token that a server shows to Google: the one thing that it asks of an account.

Access tokens are in memory only; a refresh token is read when one is needed and not held.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import SecretStr

from config.credentials import CredentialError, read_secret
from config.paths import Home
from config.shapes.google import GoogleSection
from mcp_servers.abandoning import Wait
from mcp_servers.accounts.asking import TOTAL_TIMEOUT_S, GrantGone, TokenAddress
from mcp_servers.accounts.book import Book
from mcp_servers.accounts.failing import LoginNeeded, Unavailable
from mcp_servers.accounts.keeping import Keepers, passphrase_in
from mcp_servers.accounts.model import MEANINGS, Grant, ScopeSet
from mcp_servers.accounts.oauth import Client

SPARE_S = 60.0
"""A token that ends sooner is not given out: the request that shows it takes time."""
CLIENT_SECRET = "google_client_secret"


@dataclass(frozen=True)
class _Bearer:
    token: SecretStr
    ends_at: float


class Bearers:
    """Access tokens of every account. Use `bearers_of` to make one.

    Args:
        book: who allowed what.
        keepers: where the refresh tokens lie.
        address: where they are turned into access tokens.
        client: the person's own client, asked when it is needed.
        clock: seconds that go on while the machine sleeps.
    """

    def __init__(
        self,
        book: Book,
        keepers: Keepers,
        address: TokenAddress,
        client: Callable[[], Client],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._book = book
        self._keepers = keepers
        self._address = address
        self._client = client
        self._clock = clock
        self._known: dict[str, _Bearer] = {}
        self._locks: dict[str, threading.Lock] = {}

    def accounts(self, scopes: ScopeSet) -> tuple[str, ...]:
        """The accounts that allow this, the first that logged in first."""
        return self._book.read().accounts(scopes)

    def bearer(self, account: str, scopes: ScopeSet, *, refused: SecretStr | None = None) -> SecretStr:
        """A token for the header `Authorization: Bearer`, good for at least a minute.

        Args:
            account: by the person's name for it.
            scopes: what it is for.
            refused: the token that was answered with 401; another one is given.

        Raises:
            LoginNeeded: a person has to do something first; the sentence says what.
            Unavailable: there is none just now.
        """
        grant = self._book.read().serving(account, scopes)
        if grant is None:
            raise LoginNeeded(f"The Google account {account} does not allow Variet to {MEANINGS[scopes]}. {_run(account, scopes)}")
        held = self._held(grant, refused)
        return held if held is not None else Wait().of(lambda: self._asked(grant, refused))

    def _asked(self, grant: Grant, refused: SecretStr | None) -> SecretStr:
        """Finished also when nobody waits for it any more: Google may have put another token in the place of the one that it took."""
        with self._alone(grant):
            held = self._held(grant, refused)  # another call may have asked for it meanwhile
            if held is not None:
                return held
            self._known.pop(grant.key, None)
            return self._refreshed(grant)

    def _held(self, grant: Grant, refused: SecretStr | None) -> SecretStr | None:
        known = self._known.get(grant.key)
        is_good = known is not None and known.token != refused and known.ends_at - SPARE_S > self._clock()
        return known.token if known is not None and is_good else None

    @contextmanager
    def _alone(self, grant: Grant) -> Iterator[None]:
        lock = self._locks.setdefault(grant.key, threading.Lock())
        if not lock.acquire(timeout=TOTAL_TIMEOUT_S):
            raise Unavailable(f"The Google account {grant.account}: there is no token yet. Try again later.")
        try:
            yield
        finally:
            lock.release()

    def _refreshed(self, grant: Grant) -> SecretStr:
        account = f"The Google account {grant.account}"
        try:
            token = self._kept(grant)
            began_at = self._clock()
            try:
                tokens = self._address.refresh(self._client(), token)
            except GrantGone:
                newer = self._kept(grant)
                if newer == token:
                    raise
                # Another process was quicker: Google took the token from it, and gave it another one.
                tokens = self._address.refresh(self._client(), newer)
            if tokens.refresh_token is not None:
                self._keepers.of(grant.kept).keep(grant.key, tokens.refresh_token)
        except GrantGone:
            gone = "Google no longer takes its login (revoked, too old, or the password was changed)."
            raise LoginNeeded(f"{account}: {gone} {_run(grant.account, grant.scopes)}") from None
        except LoginNeeded as error:
            raise LoginNeeded(f"{account}: {error}") from None
        except Unavailable as error:
            raise Unavailable(f"{account}: {error}") from None
        self._known[grant.key] = _Bearer(tokens.access_token, began_at + tokens.life_s)
        return tokens.access_token

    def _kept(self, grant: Grant) -> SecretStr:
        token = self._keepers.token(grant)
        if token is None:
            raise LoginNeeded(f"its token is no longer in the {grant.kept}. {_run(grant.account, grant.scopes)}")
        return token


def bearers_of(section: GoogleSection, home: Home) -> Bearers:
    """The access tokens of a home's accounts. Nobody is asked and nothing opened before one is needed."""
    address = TokenAddress(section.token_url, section.revocation_url)
    return Bearers(Book(home), Keepers(home, passphrase_in), address, lambda: client_of(section, home))


def client_of(section: GoogleSection, home: Home) -> Client:
    """The person's own client.

    Raises:
        LoginNeeded: there is none, or others could read its secret.
    """
    if section.client_id is None:
        raise LoginNeeded("no Google client is set up: put its client_id into [google] of agent.toml.")
    try:
        return Client(section.client_id, read_secret(CLIENT_SECRET, home=home))
    except CredentialError as error:
        raise LoginNeeded(str(error)) from error


def _run(account: str, scopes: ScopeSet) -> str:
    return f"Run `variet login google --account {account} --scope {scopes}`."
