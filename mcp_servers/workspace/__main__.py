"""The workspace server as a program."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from config.paths import Home
from config.shapes.workspace import WorkspaceSection
from mcp_servers.errors import Refusal
from mcp_servers.protocol.bind import Bind
from mcp_servers.protocol.options import http_options, settings
from mcp_servers.protocol.serving import ToolServer, serve
from mcp_servers.workspace.folders.access import Rights, Workspace
from mcp_servers.workspace.running.commands import USUAL_TIMEOUT_S, Allowed
from mcp_servers.workspace.server import TOOLS, handlers


@click.command("workspace")
@click.option(
    "--root", "roots", multiple=True, type=click.Path(path_type=Path), help="A folder; may be given again. Default: the configured ones."
)
@click.option("--allow-secret", "secrets", multiple=True, help="A pattern of names or paths that look like secrets and may be read.")
@click.option("--allow-hard-links", is_flag=True, help="Files with several names may be read.")
@click.option("--allow-command", "commands", multiple=True, help='A program that may run, or how its command line begins: "git status".')
@click.option("--pass-variable", "environment", multiple=True, help="A variable that commands may see, beside the usual ones.")
@click.option("--tests", default="", help="The command that runs the tests. Default: found.")
@click.option("--checks", default="", help="The command that checks the code. Default: found.")
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(1, 3600), help=f"Seconds that a command may take. Default: {USUAL_TIMEOUT_S:g}."
)
@http_options
def command(  # noqa: PLR0913 - one for each option
    roots: tuple[Path, ...], secrets: tuple[str, ...], allow_hard_links: bool, commands: tuple[str, ...],  # noqa: FBT001 - click's flags
    environment: tuple[str, ...], tests: str, checks: str, timeout_s: float | None, bind: Bind | None,
) -> None:  # fmt: skip
    """Serve a project's files and commands over standard input and output, inside its folders only.

    \b
    Example: variet mcp workspace --root ~/project --allow-command "git status"

    With --root, [workspace] of agent.toml does not count; without, each option given counts instead of what is configured.
    """  # noqa: D301 - click's own mark for a paragraph that is kept as it is
    # What is allowed in the configured folders must not reach another one.
    configured = WorkspaceSection() if roots else settings().workspace
    rights = Rights(secrets or configured.secrets, hard_links=allow_hard_links or configured.hard_links)
    allowed = Allowed(
        commands or configured.commands,
        environment or configured.environment,
        _words(tests, "--tests") or configured.tests,
        _words(checks, "--checks") or configured.checks,
        timeout_s or configured.timeout_s,
    )
    home = Home.find().prepare()
    private = tuple(filter(None, (home.config_dir, home.state_dir, home.run_dir, home.log_dir, home.data_dir, home.root)))
    try:
        workspace = Workspace(roots or configured.roots, rights, private)
    except Refusal as refusal:
        raise click.ClickException(str(refusal)) from refusal
    # Asked for once, before there are threads: it can only be read by setting it.
    mask = os.umask(0o077)
    os.umask(mask)
    state = home.state_dir / "workspace"
    serve(ToolServer("workspace", TOOLS, handlers(workspace, state, allowed, file_mode=0o666 & ~mask)), bind)


def _words(said: str, option: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(said))
    except ValueError as error:
        raise click.BadParameter(f"{said}: {error}.", param_hint=option) from error


if __name__ == "__main__":
    command()
