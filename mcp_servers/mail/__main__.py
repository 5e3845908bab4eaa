"""The mail server as a program."""

from __future__ import annotations

from pathlib import Path

import click

from mcp_servers.mail.server import TOOLS, MailTools
from mcp_servers.mailstore import MailStore
from mcp_servers.options import mail_store, store_option, zone_named, zone_option
from mcp_servers.serving import ToolServer, serve, threaded


@click.command("mail")
@store_option("The folder with the mail: a Maildir, or one that holds Inbox, Drafts and Sent.")
@zone_option()
def command(store: Path | None, zone: str | None) -> None:
    """Serve the mail tools over standard input and output. They search, read and draft; nothing here sends.

    \b
    Example: variet mcp mail --store ~/Maildir --zone Europe/Berlin
    """  # noqa: D301 - click's own mark for a paragraph that is kept as it is
    tools = MailTools(MailStore(mail_store(store)))
    serve(ToolServer("mail", TOOLS, threaded(tools.handlers()), zone_named(zone, is_configured=store is None)))


if __name__ == "__main__":
    command()
