"""Where a mail server is, and who asks there: the same for reading and for sending."""

from __future__ import annotations

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
