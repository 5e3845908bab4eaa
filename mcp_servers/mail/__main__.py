"""The mail server as a program."""

from __future__ import annotations

from pathlib import Path

import click

from config.google_settings import GoogleSection
from config.mail_settings import IMAP_PORTS, MailAccountEntry
from config.paths import Home
from mcp_servers.accounts.bearer import bearers_of
from mcp_servers.accounts.google_api import GoogleApi
from mcp_servers.accounts.setup import google_option, told_google
from mcp_servers.mail.server import TOOLS, MailTools
from mcp_servers.mailbox.accounts import AccountFailed, MailAccount
from mcp_servers.mailbox.gmail import GMAIL, GmailAccount
from mcp_servers.mailbox.imap import ImapAccount, ImapServer
from mcp_servers.mailbox.setup import SilentAccount, account_option, password, told_accounts
from mcp_servers.mailbox.store import MailStore
from mcp_servers.protocol.bind import Bind
from mcp_servers.protocol.options import http_options, mail_store, store_option, zone_named, zone_option
from mcp_servers.protocol.serving import ToolServer, serve, threaded


@click.command("mail")
@store_option("The folder with the mail: a Maildir, or one that holds Inbox, Drafts and Sent.")
@account_option()
@google_option()
@zone_option()
@http_options
def command(store: Path | None, accounts: tuple[str, ...], google: str | None, zone: str | None, bind: Bind | None) -> None:
    """Serve the mail tools over standard input and output. They search, read and draft; nothing here sends.

    \b
    Example: variet mcp mail --store ~/Maildir --zone Europe/Berlin
    """  # noqa: D301 - click's own mark for a paragraph that is kept as it is
    told = told_accounts(accounts, is_configured=store is None)
    section = told_google(google, is_configured=store is None)
    mails = MailStore(
        mail_store(store),
        [_account(name, entry, section) for name, entry in told.items() if entry.imap_host or entry.kind == "google"],
        addresses={name: entry.address for name, entry in told.items()},
    )
    tools = MailTools(mails)
    serve(ToolServer("mail", TOOLS, threaded(tools.handlers()), zone_named(zone, is_configured=store is None)), bind)


def _account(name: str, entry: MailAccountEntry, google: GoogleSection) -> MailAccount:
    if entry.kind == "google":
        return GmailAccount(GoogleApi(GMAIL, name, bearers_of(google, Home.find()), google.gmail_url))
    try:
        secret = password("imap", name)
    except AccountFailed as error:
        return SilentAccount(name, str(error))
    security = entry.imap_security
    port = entry.imap_port or IMAP_PORTS[security]
    return ImapAccount(ImapServer(name, entry.imap_host or "", port, entry.user or entry.address, secret, security))


if __name__ == "__main__":
    command()
