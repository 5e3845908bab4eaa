"""`variet mcp-agent`: the agent for other programs, over standard input and output; and the token of the way over HTTP."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from functools import partial
from pathlib import Path
from typing import cast

import anyio
import click
from anyio.abc import ObjectReceiveStream
from mcp.server.stdio import stdio_server

from agent.errors import AgentError
from agent.faces.input_lines import input_lines
from agent.faces.link import Attach, linked
from agent.faces.mcp.door import mcp_token
from agent.faces.mcp.server import build
from agent.farewell import run_until_told
from agent.service.attach import attach
from agent.service.home_use import prepared, writing_in
from config.credentials import CredentialError
from config.load import ConfigError, load_agent
from config.logs import set_up_logging
from config.paths import Home

FAILED = 1
SETTINGS = click.Path(path_type=Path, dir_okay=False)
MCP_EPILOG = """\b
Example, in another MCP client's settings:
  {"command": "variet", "args": ["mcp-agent"]}

\b
Over HTTP:
  variet serve --mcp-port 8110            at http://127.0.0.1:8110/mcp
  variet mcp-agent --token                what its clients show

\b
Tools: run_task, continue_task, list_sessions, routes. The tool servers
themselves are served with `variet mcp NAME`.

Exit codes: 0 the client has gone, 1 settings, token or home cannot be used.
"""


@click.command("mcp-agent", epilog=MCP_EPILOG)
@click.option("--config", "settings_path", type=SETTINGS, help="Instead of the home's agent.toml.")
@click.option("--token", "only_token", is_flag=True, help="Print the token for `variet serve --mcp-port`, and nothing else.")
def mcp_agent(settings_path: Path | None, *, only_token: bool) -> None:
    """Serve the assistant itself as an MCP server, over standard input and output.

    It attaches to the one agent service, which is started if it does not run. What would write, delete or send is asked through the client
    where that shows questions to a person; everywhere else it waits, and `variet chat` answers it.
    """
    if only_token:
        _print_token()
        return
    attach_home = _prepared("mcp-agent", settings_path)
    run_until_told(partial(_serve_mcp, attach_home))


def _print_token() -> None:
    try:
        home = prepared(Home.find())
        with writing_in(home):
            token = mcp_token(home).get_secret_value()
    except (AgentError, CredentialError) as error:
        click.echo(f"variet mcp-agent: {error}", err=True)
        sys.exit(FAILED)
    click.echo(token)


def _prepared(name: str, settings_path: Path | None) -> Attach:
    home = Home.find()
    try:
        load_agent(settings_path, home=home)
        prepared(home)
    except (AgentError, ConfigError) as error:
        click.echo(f"variet {name}: {error}", err=True)
        sys.exit(FAILED)
    # Standard output carries the protocol.
    set_up_logging(name)
    return partial(attach, home, settings_path=settings_path, on_status=lambda text: click.echo(text, err=True))


async def _serve_mcp(attach_home: Attach) -> None:
    async with linked(attach_home) as link, input_lines() as lines:
        # The library's own reader cannot be cancelled: told to end, it would wait for the client's next line.
        texts = cast("anyio.AsyncFile[str]", _texts(lines))
        async with stdio_server(stdin=texts) as (read, write):
            server = build(link)
            await server.run(read, write, server.create_initialization_options())


async def _texts(lines: ObjectReceiveStream[bytes]) -> AsyncGenerator[str]:
    async for line in lines:
        yield line.decode(errors="replace")
