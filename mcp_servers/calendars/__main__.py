"""The calendar server as a program."""

from __future__ import annotations

from pathlib import Path

import click

from mcp_servers.calendars.backends.local import LocalCalendars
from mcp_servers.calendars.server import TOOLS, Calendars
from mcp_servers.options import calendar_store, store_option, zone_named, zone_option
from mcp_servers.serving import ToolServer, serve, threaded


@click.command("calendars")
@store_option("The folder with the .ics files.")
@zone_option()
def command(store: Path | None, zone: str | None) -> None:
    """Serve the calendar tools over standard input and output.

    \b
    Example: variet mcp calendars --store ~/calendars --zone Europe/Berlin
    """  # noqa: D301 - click's own mark for a paragraph that is kept as it is
    tools = Calendars(LocalCalendars(calendar_store(store)))
    serve(ToolServer("calendars", TOOLS, threaded(tools.handlers()), zone_named(zone, is_configured=store is None)))


if __name__ == "__main__":
    command()
