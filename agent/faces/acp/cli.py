"""`variet acp`: the agent in an editor, over standard input and output."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import anyio.to_thread
import click

from agent.errors import AgentError
from agent.faces.acp.agent import AcpAgent
from agent.faces.input_lines import input_lines
from agent.faces.link import Attach, linked
from agent.farewell import run_until_told
from agent.service.attach import attach
from config.load import ConfigError, load_agent
from config.logs import set_up_logging
from config.paths import Home

FAILED = 1
MAX_LINE_BYTES = 32 << 20
"""A prompt with as many pictures as may stand beside one; a line that is longer is cut, and then no JSON."""
EPILOG = """\b
Example, in Zed's settings:
  "agent_servers": {"Variet": {"command": "variet", "args": ["acp"]}}

Exit codes: 0 the editor has gone, 1 the settings cannot be used.
"""


@click.command(epilog=EPILOG)
@click.option("--config", "settings_path", type=click.Path(path_type=Path, dir_okay=False), help="Instead of the home's agent.toml.")
def acp(settings_path: Path | None) -> None:
    """Serve the assistant to an editor (Zed, JetBrains) in the Agent Client Protocol, over standard input and output.

    It attaches to the one agent service, which is started if it does not run. The editor asks you for approvals with the exact call.
    """
    home = Home.find()
    try:
        load_agent(settings_path, home=home)
    except (AgentError, ConfigError) as error:
        click.echo(f"variet acp: {error}", err=True)
        sys.exit(FAILED)
    # Standard output carries the protocol.
    set_up_logging("acp")
    attach_home = partial(attach, home, settings_path=settings_path, on_status=lambda text: click.echo(text, err=True))
    run_until_told(partial(_serve, attach_home))


async def _serve(attach_home: Attach) -> None:
    async with linked(attach_home) as link, input_lines(MAX_LINE_BYTES) as lines:
        await AcpAgent(link, _write).run(lines)


async def _write(line: bytes) -> None:
    await anyio.to_thread.run_sync(_write_now, line)


def _write_now(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
