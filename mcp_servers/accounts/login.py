"""A login from the first address to the kept token, and its end."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import SecretStr

from mcp_servers.accounts.asking import GrantGone, TokenAddress
from mcp_servers.accounts.book import Book
from mcp_servers.accounts.failing import LoginNeeded
from mcp_servers.accounts.keeping import Keeper, Keepers
from mcp_servers.accounts.loopback import listening
from mcp_servers.accounts.model import MEANINGS, SCOPES, Grant, ScopeSet
from mcp_servers.accounts.oauth import Asked, Client, Denied, authorization_url

LOGIN_TIMEOUT_S = 180.0
"""A person finds the browser, chooses an account, reads two pages and may look for a second factor."""
STATE_BYTES = 32
VERIFIER_BYTES = 64


@dataclass(frozen=True)
class Doors:
    """Google's addresses, as the settings have them."""

    authorization_url: str
    tokens: TokenAddress


def log_in(client: Client, doors: Doors, scopes: ScopeSet, show: Callable[[str], None], *, timeout_s: float = LOGIN_TIMEOUT_S) -> SecretStr:
    """The refresh token of what a person allowed.

    Args:
        client: the person's own.
        doors: where Google is.
        scopes: what is asked for.
        show: brings the address before the person. Its state is not secret from who could see the screen; the verifier never leaves.
        timeout_s: how long the person may take.

    Raises:
        LoginNeeded: nothing was allowed, or not all of it, or not in time.
        Unavailable: Google did not answer.
    """
    state = SecretStr(secrets.token_urlsafe(STATE_BYTES))
    with listening(state) as listener:
        asked = Asked(client, listener.redirect, SCOPES[scopes], state, SecretStr(secrets.token_urlsafe(VERIFIER_BYTES)))
        show(authorization_url(doors.authorization_url, asked))
        came = listener.wait(timeout_s)
    match came:
        case None:
            raise LoginNeeded(f"Nobody said yes within {timeout_s:.0f} s. Run the command again.")
        case Denied():
            raise LoginNeeded(f"Nothing was allowed{f' ({came.reason})' if came.reason else ''}. Run the command again to try once more.")
        case SecretStr():
            return _redeemed(doors.tokens, asked, came)


def _redeemed(address: TokenAddress, asked: Asked, code: SecretStr) -> SecretStr:
    try:
        tokens = address.redeem(asked, code)
    except GrantGone:
        raise LoginNeeded("Google did not take the code that it had just given. Run the command again.") from None
    if lacking := tokens.lacking(asked.scopes):
        missing = ", ".join(scope.rpartition("/")[2] for scope in lacking)
        raise LoginNeeded(
            f"Not everything was allowed ({missing} is missing), so nothing was kept. Run the command again and leave every box ticked."
        )
    if tokens.refresh_token is None:
        raise LoginNeeded("Google gave no token that lasts. Remove Variet from the account's connected apps and run the command again.")
    return tokens.refresh_token


def keep(book: Book, keepers: Keepers, keeper: Keeper, grant: Grant, token: SecretStr) -> None:
    """Keep a token in its place; what an earlier login had left elsewhere is forgotten."""
    earlier = [each for each in book.read().of(grant.account) if each.scopes == grant.scopes and each.kept != grant.kept]
    keeper.keep(grant.key, token)
    book.add(grant)
    for each in earlier:
        keepers.of(each.kept).forget(each.key)


def log_out(book: Book, keepers: Keepers, account: str, revoke: Callable[[SecretStr], None] | None) -> tuple[Grant, ...]:
    """Forget an account's tokens, after Google has taken them back where that is wanted.

    Args:
        book: who allowed what.
        keepers: where the tokens lie.
        account: whose.
        revoke: asked for each token; None to leave Google alone. When it fails, that token and those after it are kept.

    Returns:
        What was forgotten.

    Raises:
        LoginNeeded: a token cannot be read, so that Google cannot be told of it.
        Unavailable: Google did not take it back.
    """
    grants = book.read().of(account)
    for grant in grants:
        if revoke is not None:
            revoke(_kept(keepers, grant))
        keepers.of(grant.kept).forget(grant.key)
        book.remove(grant)
    return grants


def _kept(keepers: Keepers, grant: Grant) -> SecretStr:
    token = keepers.token(grant)
    if token is None:
        lost = f"The token to {MEANINGS[grant.scopes]} is no longer in the {grant.kept}, so Google cannot be told by it."
        raise LoginNeeded(f"{lost} End Variet's access in the account's own settings, then log out without --revoke.")
    return token
