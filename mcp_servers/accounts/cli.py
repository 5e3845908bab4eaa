"""`variet login`, `variet logout` and `variet accounts`: a person lets Variet into an account, and out again."""

from __future__ import annotations

import json
import sys
import webbrowser
from typing import NoReturn, get_args

import click
from pydantic import SecretStr, ValidationError

from config.paths import Home
from config.shapes.calendars import LOCAL_CALENDARS
from mcp_servers.accounts.asking import TokenAddress
from mcp_servers.accounts.bearer import client_of
from mcp_servers.accounts.book import Book
from mcp_servers.accounts.failing import AccountUnusable
from mcp_servers.accounts.keeping import PASSPHRASE_VARIABLE, Keeper, Keepers, passphrase_in
from mcp_servers.accounts.login import LOGIN_TIMEOUT_S, Doors, keep, log_in, log_out
from mcp_servers.accounts.model import DEFAULT_ACCOUNT, MEANINGS, Grant, Keeping, ScopeSet
from mcp_servers.protocol.options import settings

FAILED = 1
PLACES = {
    "keyring": "the system's keyring",
    "encrypted-file": "a file under your passphrase",
    "plain-file": "a private file, not encrypted",
}
MAIL_SCOPES = ("mail", "mail-read", "send", "compose")
ENTRY_NEEDED = 'Now name it in agent.toml with its address: [mail.accounts.{account}] kind = "google" address = "you@gmail.com"'
_account = click.option("--account", default=DEFAULT_ACCOUNT, show_default=True, help="Your own short name for the account.")
_provider = click.argument("provider", type=click.Choice(["google"]))


@click.command()
@_provider
@_account
@click.option("--scope", type=click.Choice(get_args(ScopeSet)), default="calendar", show_default=True, help="What to ask for.")
@click.option("--no-browser", is_flag=True, help="Print the address instead of opening a browser.")
@click.option("--timeout", "timeout_s", type=click.FloatRange(1, 3600), default=LOGIN_TIMEOUT_S, help="Seconds that you may take.")
@click.option("--encrypted-file", is_flag=True, help=f"Keep the token in a file under a passphrase ({PASSPHRASE_VARIABLE}, or asked for).")
@click.option("--insecure-file-token", is_flag=True, help="Keep the token in a private file that is not encrypted.")
def login(
    provider: str, account: str, scope: ScopeSet, *, no_browser: bool, timeout_s: float, encrypted_file: bool, insecure_file_token: bool
) -> None:
    """Let Variet into an account at PROVIDER; what it may do there is asked for one thing at a time.

    \b
    Examples:
      variet login google                       its calendars, as the account "google"
      variet login google --account work --scope mail
      variet login google --account work --scope send
      variet login google --account work --scope compose      to send drafts that lie at Gmail, too
    """
    if encrypted_file and insecure_file_token:
        raise click.UsageError("--encrypted-file and --insecure-file-token exclude each other. Give one of them.")
    home = Home.find().prepare()
    configured = settings()
    said = configured.google
    others = configured.calendars.accounts if scope.startswith("calendar") else configured.mail.accounts
    if account in {LOCAL_CALENDARS, *(name for name, entry in others.items() if entry.kind != "google")}:
        raise click.UsageError(f"Another account is named {account}. Choose another name with --account.")
    try:
        keepers = _keepers(home, encrypted=encrypted_file)
        keeper = _keeper(keepers, encrypted=encrypted_file, plain=insecure_file_token)
        grant = _grant(account, scope, keeper.kind)
        _check_openable(home, keepers, keeper)
        doors = Doors(said.authorization_url, TokenAddress(said.token_url, said.revocation_url))
        token = log_in(client_of(said, home), doors, scope, _printed if no_browser else _opened, timeout_s=timeout_s)
        keep(Book(home), keepers, keeper, grant, token)
    except (AccountUnusable, OSError) as error:
        _fail("login", error)
    click.echo(f"Variet may now {MEANINGS[scope]} of the {provider} account {account}. Its token is in {PLACES[keeper.kind]}.")
    if scope in MAIL_SCOPES and account not in configured.mail.accounts:
        click.echo(ENTRY_NEEDED.format(account=account), err=True)
    if (home.run_dir / "service.json").exists():
        click.echo("The service that runs now learns of it when it starts again.", err=True)


@click.command()
@_provider
@_account
@click.option("--revoke", is_flag=True, help="Have Google end everything that Variet was allowed there.")
def logout(provider: str, account: str, *, revoke: bool) -> None:
    """Forget an account's tokens."""
    home = Home.find()
    said = settings().google
    address = TokenAddress(said.token_url, said.revocation_url)
    try:
        gone = log_out(Book(home), Keepers(home, _passphrase), account, address.revoke if revoke else None)
    except (AccountUnusable, OSError) as error:
        _fail("logout", error)
    if not gone:
        click.echo(f"There is no {provider} account {account}.", err=True)
        sys.exit(FAILED)
    ended = " Google has ended what it was allowed." if revoke else " Google still remembers what it was allowed; --revoke ends that."
    click.echo(f"The tokens of the {provider} account {account} are forgotten.{ended}")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a list of JSON objects.")
def accounts(*, as_json: bool) -> None:
    """List the accounts, what each allows and where its tokens are. Tokens are never shown."""
    try:
        grants = Book(Home.find()).read().grants
    except AccountUnusable as error:
        _fail("accounts", error)
    if as_json:
        click.echo(json.dumps([{"provider": "google", **grant.model_dump()} for grant in grants]))
        return
    if not grants:
        click.echo("There are no accounts. `variet login google` adds one.")
    for grant in grants:
        click.echo(f"google {grant.account}: may {MEANINGS[grant.scopes]} ({grant.scopes}); token in {PLACES[grant.kept]}")


def _keepers(home: Home, *, encrypted: bool) -> Keepers:
    # Before anybody is sent to a browser: what cannot be kept must not be asked for.
    passphrase = _passphrase(is_new=True) if encrypted else passphrase_in()
    if encrypted and passphrase is None:
        raise click.ClickException(f"There is no passphrase: set {PASSPHRASE_VARIABLE}.")
    return Keepers(home, lambda: passphrase)


def _keeper(keepers: Keepers, *, encrypted: bool, plain: bool) -> Keeper:
    if plain:
        return keepers.of("plain-file")
    if not encrypted and keepers.keyring.is_there():
        return keepers.keyring
    if encrypted or passphrase_in() is not None:
        return keepers.of("encrypted-file")
    raise click.ClickException(
        f"There is no keyring here to keep the token in. Set {PASSPHRASE_VARIABLE} or use --encrypted-file, "
        "or accept a file that is not encrypted with --insecure-file-token."
    )


def _check_openable(home: Home, keepers: Keepers, keeper: Keeper) -> None:
    # One passphrase for all: the servers are given no second one.
    for grant in Book(home).read().grants:
        if keeper.kind == grant.kept == "encrypted-file":
            keepers.token(grant)


def _grant(account: str, scope: ScopeSet, kept: Keeping) -> Grant:
    try:
        return Grant(account=account, scopes=scope, kept=kept)
    except ValidationError:
        raise click.UsageError("An account's name is lower-case letters, digits and _. Give one such as work.") from None


def _passphrase(*, is_new: bool = False) -> SecretStr | None:
    if (known := passphrase_in()) is not None or not sys.stdin.isatty():
        return known
    return SecretStr(click.prompt("Passphrase of the tokens' files", hide_input=True, err=True, confirmation_prompt=is_new))


def _printed(url: str) -> None:
    click.echo(f"Open this address in a browser on this machine:\n{url}", err=True)


def _opened(url: str) -> None:
    if webbrowser.open(url):
        click.echo("Say yes or no in the browser that has opened.", err=True)
    else:
        _printed(url)


def _fail(command: str, error: Exception) -> NoReturn:
    click.echo(f"variet {command}: {error}", err=True)
    sys.exit(FAILED)
