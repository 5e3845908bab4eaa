"""`variet mcp NAME`: each tool server as a command, for this agent or any other MCP client."""

from __future__ import annotations

import importlib
from typing import cast

import click

from config.extras import extra_needed

EXTRA = "servers"
"""Brings what they need."""
COMMANDS = {
    "calendars": ("mcp_servers.calendars.__main__", "Events on local calendars and CalDAV servers."),
    "mail": ("mcp_servers.mail.__main__", "Search, read, file and draft mails."),
    "outbox": ("mcp_servers.outbox.__main__", "Send mails and drafts."),
    "searxng": ("mcp_servers.searxng.__main__", "Search the web over SearXNG."),
    "workspace": ("mcp_servers.workspace.__main__", "Read, search, change and test a project."),
}
"""Name -> module whose `command` it is, loaded when it is run, and its line in the list."""


class _Servers(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        with extra_needed(f"`variet mcp {cmd_name}`", EXTRA):
            return cast("click.Command", importlib.import_module(entry[0]).command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # From the table: the list must not load the servers to say what they are.
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group("mcp", cls=_Servers)
def mcp() -> None:
    """Run one of the tool servers; it speaks MCP over standard input and output.

    \b
    Example, in another MCP client's settings:
      {"command": "variet", "args": ["mcp", "calendars"]}
    """
