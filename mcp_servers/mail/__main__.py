"""The mail server as a program."""

from __future__ import annotations

from pathlib import Path

import click

from config.mail_settings import IMAP_PORTS, MailAccountEntry
from mcp_servers.mail.server import TOOLS, MailTools
from mcp_servers.mailbox.accounts import AccountFailed, MailAccount
from mcp_servers.mailbox.imap import ImapAccount, ImapServer
from mcp_servers.mailbox.setup import SilentAccount, account_option, password, told_accounts
from mcp_servers.mailbox.store import MailStore
from mcp_servers.protocol.bind import Bind
from mcp_servers.protocol.options import http_options, mail_store, store_option, zone_named, zone_option
from mcp_servers.protocol.serving import ToolServer, serve, threaded


@click.command("mail")
@store_option("The folder with the mail: a Maildir, or one that holds Inbox, Drafts and Sent.")
@account_option()
@zone_option()
@http_options
def command(store: Path | None, accounts: tuple[str, ...], zone: str | None, bind: Bind | None) -> None:
    """Serve the mail tools over standard input and output. They search, read and draft; nothing here sends.

    \b
    Example: variet mcp mail --store ~/Maildir --zone Europe/Berlin
    """  # noqa: D301 - click's own mark for a paragraph that is kept as it is
    told = told_accounts(accounts, is_configured=store is None)
    mails = MailStore(
        mail_store(store),
        [_account(name, entry) for name, entry in told.items() if entry.imap_host],
        addresses={name: entry.address for name, entry in told.items()},
    )
    tools = MailTools(mails)
    serve(ToolServer("mail", TOOLS, threaded(tools.handlers()), zone_named(zone, is_configured=store is None)), bind)


def _account(name: str, entry: MailAccountEntry) -> MailAccount:
    try:
        secret = password("imap", name)
    except AccountFailed as error:
        return SilentAccount(name, str(error))
    security = entry.imap_security
    port = entry.imap_port or IMAP_PORTS[security]
    return ImapAccount(ImapServer(name, entry.imap_host or "", port, entry.user or entry.address, secret, security))


if __name__ == "__main__":
    command()
