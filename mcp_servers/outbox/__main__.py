"""The outbox server as a program."""

from __future__ import annotations

import os
from pathlib import Path

import click

from mcp_servers.mailstore import MailStore
from mcp_servers.options import mail_store, store_option, zone_named, zone_option
from mcp_servers.outbox.carriers import LocalCarrier
from mcp_servers.outbox.delivery import Delivery
from mcp_servers.outbox.keys import take_key
from mcp_servers.outbox.server import TOOLS, Outbox
from mcp_servers.serving import ToolServer, serve, threaded


@click.command("outbox")
@store_option("The folder with the mail, as for `variet mcp mail`.")
@zone_option()
def command(store: Path | None, zone: str | None) -> None:
    """Serve the sending tools over standard input and output. Mails go to the folder Sent of the store.

    Started by the agent service it sends what a person has approved there. For any other client what should be sent is kept as a draft.

    \b
    Example: variet mcp outbox --store ~/Maildir
    """  # noqa: D301 - click's own mark for a paragraph that is kept as it is
    key = take_key(os.environ)
    folder = mail_store(store)
    mails = MailStore(folder)
    tools = Outbox(mails, Delivery(folder, LocalCarrier(mails.sent)), key=key)
    tools.clear_sent_drafts()
    serve(ToolServer("outbox", TOOLS, threaded(tools.handlers()), zone_named(zone, is_configured=store is None)))


if __name__ == "__main__":
    command()
