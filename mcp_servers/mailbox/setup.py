"""The accounts that a mail server or the outbox is told of, from `agent.toml` or its command line, and their passwords.

A password is read by the process that needs it, when it starts and at each connection, so that a new one counts at once: the mail server
knows those for reading, the outbox those for sending.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click
from pydantic import BaseModel, SecretStr, ValidationError

from config.credentials import CredentialError, read_secret, secret_file
from config.network.trust import CertificatesRefused, trust_of
from config.paths import Home
from config.shapes.mail import AccountName, MailAccountEntry
from mcp_servers.mailbox.accounts import HEADS_BOUND_S, AccountFailed, Listing, MailAccount
from mcp_servers.mailbox.store import MailStore
from mcp_servers.protocol.options import Decorator, settings

Accounts = Mapping[str, MailAccountEntry]


class NamedAccount(BaseModel):
    """One account as a command line names it: `{"name": "work", "account": {...}}`."""

    name: AccountName
    account: MailAccountEntry


def account_option() -> Decorator:
    text = 'An account on a server, as JSON: {"name": "work", "account": {"address": ...}}. Default: the configured ones.'
    return click.option("--account", "accounts", multiple=True, metavar="JSON", help=text)


def told_accounts(given: Sequence[str], *, is_configured: bool) -> dict[str, MailAccountEntry]:
    """The accounts of the command line, else those of the settings.

    Args:
        given: what the command line says.
        is_configured: look into the settings when it says nothing. Not wanted where a store was named.

    Raises:
        click.BadParameter: one is no account.
    """
    if not given:
        return dict(settings().mail.accounts) if is_configured else {}
    try:
        named = [NamedAccount.model_validate_json(text) for text in given]
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        raise click.BadParameter(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}", param_hint="--account") from error
    return {one.name: one.account for one in named}


def senders(accounts: Accounts) -> Accounts:
    """Those that mail goes out by; the others can only be read."""
    return {name: entry for name, entry in accounts.items() if entry.smtp_host or entry.kind == "google"}


def store_of(folder: Path, told: Accounts, accounts: Sequence[MailAccount] = ()) -> MailStore:
    """The mail of a person who has these accounts.

    Args:
        folder: the local one.
        told: all accounts, also those that are not read here.
        accounts: those that are.
    """
    ways_out = {entry.address.lower() for entry in senders(told).values()}
    # By address: one account may be there to read a box and another one to send from it.
    named = [name for name, entry in told.items() if entry.address.lower() in ways_out]
    return MailStore(folder, accounts, addresses={name: entry.address for name, entry in told.items()}, senders=named)


def password(kind: str, account: str) -> SecretStr:
    """The secret `KIND_ACCOUNT_password`.

    Raises:
        AccountFailed: there is none, or others could read it; the sentence says where it belongs.
    """
    name = f"{kind}_{account}_password"
    try:
        found = read_secret(name)
    except CredentialError as error:
        raise AccountFailed(f"{account}: {error}") from error
    if found is None:
        raise AccountFailed(f"{account}: its password is not set. Put it into {secret_file(name, home=Home.find())} (chmod 600).")
    return found


def trusted(account: str, entry: MailAccountEntry) -> ssl.SSLContext | None:
    """By whom the servers of an account must be vouched for; None for those that this system trusts.

    Raises:
        AccountFailed: the file that is named holds no certificate.
    """
    try:
        found = trust_of(entry.ca_file)
    except CertificatesRefused as error:
        raise AccountFailed(f"{account}: {error}") from error
    return found if isinstance(found, ssl.SSLContext) else None


class SilentAccount:
    """An account that cannot be asked, and why: it is named in every answer that lacks it."""

    def __init__(self, name: str, problem: str) -> None:
        self._name = name
        self._problem = problem

    @property
    def name(self) -> str:
        return self._name

    def folders(self) -> tuple[str, ...]:
        raise AccountFailed(self._problem)

    def listing(self, folder: str) -> Listing:
        raise AccountFailed(self._problem)

    def heads(self, keys: Sequence[str], within_s: float = HEADS_BOUND_S) -> Iterator[tuple[str, bytes]]:
        raise AccountFailed(self._problem)

    def read(self, key: str) -> bytes | None:
        raise AccountFailed(self._problem)

    def folder_of(self, key: str) -> str | None:
        raise AccountFailed(self._problem)

    def move(self, key: str, target: str) -> str:
        raise AccountFailed(self._problem)
