"""The web search server as a program."""

from __future__ import annotations

import click

from mcp_servers.protocol.bind import Bind
from mcp_servers.protocol.options import http_options, settings
from mcp_servers.protocol.serving import ToolServer, serve
from mcp_servers.searxng.server import TOOLS, Search


@click.command("searxng")
@click.option(
    "--url",
    "urls",
    multiple=True,
    envvar="VARIET_SEARXNG_URLS",
    help="An instance, such as http://127.0.0.1:8888; more are tried in order. Default: those of VARIET_SEARXNG_URLS (with blanks between "
    "them; one with a password is better there, where no process list shows it), else the configured ones.",
)
@click.option("--no-settings", is_flag=True, help="Do not look into agent.toml.")
@http_options
def command(urls: tuple[str, ...], no_settings: bool, bind: Bind | None) -> None:  # noqa: FBT001 - click's flags are bools
    """Serve web search over standard input and output.

    \b
    Example: variet mcp searxng --url http://127.0.0.1:8888
    """  # noqa: D301 - click's own mark for a paragraph that is kept as it is
    if not urls and not no_settings:
        urls = tuple(settings().searxng.urls)
    serve(ToolServer("searxng", TOOLS, Search(urls).handlers()), bind)


if __name__ == "__main__":
    command()
