"""The shape of `[mail]` in `agent.toml`: the local store, and accounts on servers and at Google. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from config.vocabulary import File, Section

AccountName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=30)]
"""As it appears in secrets' names: lower-case letters, digits and `_`."""
Address = Annotated[str, StringConstraints(pattern=r"^[^\s@<>,;\"]+@[^\s@<>,;\"]+$")]
Host = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:_-]+$")]
Port = Annotated[int, Field(ge=1, le=65535)]
Security = Literal["tls", "starttls", "none"]
LOCAL_ACCOUNT = "local"
"""The store of this machine; no account on a server may have this name."""
IMAP_PORTS: Mapping[Security, int] = {"tls": 993, "starttls": 143, "none": 143}
SMTP_PORTS: Mapping[Security, int] = {"tls": 465, "starttls": 587, "none": 25}
FILING_HOSTS = frozenset({"smtp.gmail.com", "smtp.googlemail.com", "smtp.office365.com", "smtp-mail.outlook.com"})
"""Servers that put each mail that they take among the account's sent mails."""


class MailAccountEntry(Section):
    kind: Literal["server", "google"] = "server"
    """Where its mail is: on servers that are named here, or at Google, after `variet login google --account NAME --scope mail` to read
    and file it, `--scope send` to send it, and `--scope compose` to send what lies among its drafts too."""
    address: Address
    """Whom its mails are from."""
    user: str | None = None
    """The name to log in with. Absent: the address."""
    imap_host: Host | None = None
    """The server that its mail is read from; the password is the secret `imap_NAME_password`. Absent: it is only sent from."""
    imap_port: Port | None = None
    """Absent: 993 with `tls`, else 143."""
    imap_security: Security = "tls"
    """`tls` from the first byte, `starttls`, or `none`: readable by everybody on the way."""
    smtp_host: Host | None = None
    """The server that its mail goes out through; the password is the secret `smtp_NAME_password`. Absent: it is only read."""
    smtp_port: Port | None = None
    """Absent: 465 with `tls`, 587 with `starttls`, else 25."""
    smtp_security: Security = "starttls"
    """`tls` from the first byte, `starttls`, or `none`: readable by everybody on the way."""
    smtp_login: bool = True
    """Whether that server wants a name and a password."""
    ca_file: File | None = None
    """The certificate, in PEM, that vouches for both servers: an authority's or their own; no other is trusted then. Absent: those of this
    system."""
    files_sent: bool | None = None
    """Whether its servers put what was sent among the sent mails by themselves; else a copy is put there over IMAP. Absent: they do where
    the SMTP server is one of Google's or Microsoft's."""

    @property
    def is_filed_by_its_servers(self) -> bool:
        """Whether what goes out is among the account's sent mails without anybody putting it there."""
        return (self.smtp_host or "").lower() in FILING_HOSTS if self.files_sent is None else self.files_sent

    @model_validator(mode="after")
    def _has_a_server(self) -> Self:
        named = (self.imap_host, self.smtp_host, self.user, self.ca_file, self.files_sent)
        if self.kind == "google" and any(one is not None for one in named):
            raise PydanticCustomError("needs_no_server", "a server for a Google account", {"allowed": "`address` alone"})
        if self.kind == "server" and self.imap_host is None and self.smtp_host is None:
            allowed = '`imap_host`, `smtp_host` or both, or kind = "google"'
            raise PydanticCustomError("no_server", "neither imap_host nor smtp_host", {"allowed": allowed})
        return self


class MailSection(Section):
    store: File | None = None
    """The folder that holds the local mail. Absent: one in the home."""
    accounts: Mapping[AccountName, MailAccountEntry] = Field(default_factory=dict)
    """Accounts on servers and at Google, by a short name; new mails are from the first that sends. Without any, mail stays here."""

    @model_validator(mode="after")
    def _local_is_taken(self) -> Self:
        if LOCAL_ACCOUNT in self.accounts:
            raise PydanticCustomError("local_is_taken", "an account named local", {"allowed": "any other name"})
        return self
