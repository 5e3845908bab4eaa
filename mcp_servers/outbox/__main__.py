"""The outbox server as a program."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import click

from config.paths import Home
from config.shapes.google import GoogleSection
from config.shapes.mail import SMTP_PORTS, MailAccountEntry
from mcp_servers.accounts.bearer import bearers_of
from mcp_servers.accounts.google_api import GoogleApi
from mcp_servers.accounts.setup import google_option, told_google
from mcp_servers.mailbox.accounts import AccountFailed
from mcp_servers.mailbox.maildir import Maildir
from mcp_servers.mailbox.setup import Accounts, account_option, password, senders, store_of, told_accounts, trusted
from mcp_servers.mailbox.unfiled import Unfiled
from mcp_servers.outbox.carriers import ByAddress, Carrier, Closed, LocalCarrier
from mcp_servers.outbox.delivery import Delivery
from mcp_servers.outbox.gmail_carrier import COMPOSING, SENDING, GmailCarrier
from mcp_servers.outbox.keys import take_key
from mcp_servers.outbox.server import TOOLS, Outbox
from mcp_servers.outbox.smtp import SmtpCarrier, SmtpServer
from mcp_servers.protocol.bind import Bind
from mcp_servers.protocol.options import http_options, mail_store, store_option, zone_named, zone_option
from mcp_servers.protocol.serving import ToolServer, serve, threaded


@click.command("outbox")
@store_option("The folder with the mail, as for `variet mcp mail`.")
@account_option()
@google_option()
@zone_option()
@http_options
def command(store: Path | None, accounts: tuple[str, ...], google: str | None, zone: str | None, bind: Bind | None) -> None:
    """Serve the sending tools over standard input and output. Without an account, mails go to the folder Sent of the store.
    Where every account can only be read, nothing is sent, and the answer says so.

    Started by the agent service it sends what a person has approved there. For any other client what should be sent is kept as a draft.

    \b
    Example: variet mcp outbox --store ~/Maildir
    """  # noqa: D301 - click's own mark for a paragraph that is kept as it is
    key = take_key(os.environ)
    folder = mail_store(store)
    told = told_accounts(accounts, is_configured=store is None)
    section = told_google(google, is_configured=store is None)
    mails = store_of(folder, told)
    tools = Outbox(mails, Delivery(folder, _carrier(folder, told, mails.sent, section)), key=key)
    tools.clear_sent_drafts()
    serve(ToolServer("outbox", TOOLS, threaded(tools.handlers()), zone_named(zone, is_configured=store is None)), bind)


def _carrier(folder: Path, told: Accounts, sent: Maildir, google: GoogleSection) -> Carrier:
    if not told:
        return LocalCarrier(sent)
    ways_out = senders(told)
    if not ways_out:  # the local folder Sent would look as if something had left
        return Closed(_none_sends(told), sent)
    unfiled = Unfiled(folder)
    return ByAddress({
        entry.address: _gmail(name, google) if entry.kind == "google" else _smtp(name, entry, sent, unfiled)
        for name, entry in ways_out.items()
    })  # fmt: skip


def _none_sends(told: Accounts) -> str:
    whose = "its smtp_host" if len(told) == 1 else "the smtp_host of one of them"
    return f"No account sends mail: {', '.join(told)} can only be read. Name {whose} in agent.toml."


def _gmail(name: str, google: GoogleSection) -> Carrier:
    tokens = bearers_of(google, Home.find())
    return GmailCarrier(*(GoogleApi(service, name, tokens, google.gmail_url) for service in (SENDING, COMPOSING)))


def _smtp(name: str, entry: MailAccountEntry, sent: Maildir, unfiled: Unfiled) -> Carrier:
    newest = partial(password, "smtp", name) if entry.smtp_login else None
    try:
        secret, tls = newest() if newest else None, trusted(name, entry)
    except AccountFailed as error:
        return Closed(str(error), sent)
    security = entry.smtp_security
    port = entry.smtp_port or SMTP_PORTS[security]
    server = SmtpServer(name, entry.smtp_host or "", port, entry.user or entry.address, secret, security, newest)
    # Without a way to read the account nobody could put anything into its folders.
    return SmtpCarrier(server, sent, unfiled=unfiled if entry.imap_host else None, tls=tls)


if __name__ == "__main__":
    command()
