"""Where a mail server is, and who asks there: the same for reading and for sending."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import SecretStr

from config.shapes.mail import Security


@dataclass(frozen=True)
class MailServer:
    """One account's server."""

    name: str
    """The person's own name for the account."""
    host: str
    port: int
    user: str
    password: SecretStr | None
    """None for a server that wants none."""
    security: Security
    newest: Callable[[], SecretStr] | None = None
    """Reads the password as it is now; None where it stays."""

    def secret(self) -> SecretStr | None:
        """The password for the next connection: one that was set right counts without a restart.

        Raises:
            AccountFailed: it is not there any more, or others could read it.
        """
        return self.newest() if self.newest is not None else self.password
