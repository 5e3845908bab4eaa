"""Why an account cannot be used just now, in sentences that a model may read and that hold no secret."""

from __future__ import annotations

from mcp_servers.errors import Refusal


class AccountUnusable(Refusal):
    """The sentence begins with the account and says what to do next."""


class LoginNeeded(AccountUnusable):
    """A person has to do something first: log in, name a client, unlock where the tokens are."""


class Unavailable(AccountUnusable):
    """Whoever gives out tokens did not answer, or is too busy: later it may work."""
