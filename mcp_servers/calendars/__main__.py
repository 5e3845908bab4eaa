"""The calendar server as a program."""

from __future__ import annotations

from pathlib import Path

import click

from config.shapes.calendars import CalendarSection
from mcp_servers.accounts.setup import google_option, told_google
from mcp_servers.calendars.server import TOOLS
from mcp_servers.calendars.setup import calendars_of, section_of
from mcp_servers.protocol.bind import Bind
from mcp_servers.protocol.options import calendar_store, http_options, settings, store_option, zone_named, zone_option
from mcp_servers.protocol.serving import ToolServer, serve, threaded


@click.command("calendars")
@store_option("The folder with the .ics files.")
@click.option("--settings", "said", metavar="JSON", help="What [calendars] of agent.toml says, for who reads no settings.")
@google_option()
@zone_option()
@http_options
def command(store: Path | None, said: str | None, google: str | None, zone: str | None, bind: Bind | None) -> None:
    """Serve the calendar tools over standard input and output: local files, the accounts of agent.toml, and Google's.

    \b
    Example: variet mcp calendars --store ~/calendars --zone Europe/Berlin
    """  # noqa: D301 - click's own mark for a paragraph that is kept as it is
    # A server that is told where its store is reads no settings.
    section = section_of(said) if said else CalendarSection() if store else settings().calendars
    tools = calendars_of(calendar_store(store or section.store), section, told_google(google, is_configured=store is None))
    serve(ToolServer("calendars", TOOLS, threaded(tools.handlers()), zone_named(zone, is_configured=store is None)), bind)


if __name__ == "__main__":
    command()
