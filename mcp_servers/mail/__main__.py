"""The mail server as a program."""

from __future__ import annotations

import ssl
from contextlib import suppress
from functools import partial
from pathlib import Path

import click

from config.paths import Home
from config.shapes.google import GoogleSection
from config.shapes.mail import IMAP_PORTS, MailAccountEntry
from mcp_servers.accounts.bearer import bearers_of
from mcp_servers.accounts.google_api import GoogleApi
from mcp_servers.accounts.setup import google_option, told_google
from mcp_servers.mail.sent_filing import SentFiling
from mcp_servers.mail.server import TOOLS, MailTools
from mcp_servers.mailbox.accounts import AccountFailed, MailAccount
from mcp_servers.mailbox.gmail.account import GMAIL, GmailAccount
from mcp_servers.mailbox.imap.account import ImapAccount
from mcp_servers.mailbox.imap.connection import ImapConnection, ImapServer
from mcp_servers.mailbox.imap.keeping import ImapKeeping
from mcp_servers.mailbox.setup import SilentAccount, account_option, password, store_of, told_accounts, trusted
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
    read = [_account(name, entry, section) for name, entry in told.items() if entry.imap_host or entry.kind == "google"]
    mails = store_of(mail_store(store), told, read)
    if keepers := {name: keeper for name, entry in told.items() if (keeper := _keeper(name, entry)) is not None}:
        SentFiling(mail_store(store), mails.sent, keepers).start()
    tools = MailTools(mails)
    serve(ToolServer("mail", TOOLS, threaded(tools.handlers()), zone_named(zone, is_configured=store is None)), bind)


def _account(name: str, entry: MailAccountEntry, google: GoogleSection) -> MailAccount:
    if entry.kind == "google":
        return GmailAccount(GoogleApi(GMAIL, name, bearers_of(google, Home.find()), google.gmail_url))
    try:
        return ImapAccount(*_imap(name, entry))
    except AccountFailed as error:
        return SilentAccount(name, str(error))


def _keeper(name: str, entry: MailAccountEntry) -> ImapKeeping | None:
    """The account's folders of its own, on another connection than what reads it; None where there are none, or nobody is let in."""
    if not entry.imap_host or not entry.smtp_host:
        return None
    with suppress(AccountFailed):
        return ImapKeeping(ImapConnection(*_imap(name, entry)), files_sent=entry.is_filed_by_its_servers)
    return None


def _imap(name: str, entry: MailAccountEntry) -> tuple[ImapServer, ssl.SSLContext | None]:
    security = entry.imap_security
    port = entry.imap_port or IMAP_PORTS[security]
    user, newest = entry.user or entry.address, partial(password, "imap", name)
    server = ImapServer(name, entry.imap_host or "", port, user, newest(), security, newest=newest)
    return server, trusted(name, entry)


if __name__ == "__main__":
    command()
