"""`variet`: the composition root, a table of commands that are loaded only when they are asked for.

Each package brings its own commands, and this file knows them by name alone: `variet --help` must not import a model server, and an
installation without some extra must still say which one is missing.
"""

from __future__ import annotations

import errno
import gc
import importlib
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, nullcontext, suppress
from typing import NamedTuple

import click

from bots.standard_input import be_empty_if_closed
from bots.standard_output import be_nowhere_if_closed, take_any_sign
from config.extras import extra_needed

FAILED = 1
SHUT = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR})
"""What the system says of a file that we may not write or read."""
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What it says where nothing more can be written."""


class Lazy(NamedTuple):
    """A command that has not been imported."""

    target: str
    """`module:attribute`."""
    help: str
    """Its line in `variet --help`, so that showing it costs no import."""
    extra: str
    """The extra that brings what it needs."""


COMMANDS: dict[str, Lazy] = {
    "chat": Lazy("bots.repl.cli:chat", "Talk to the assistant in this terminal.", "chat,agent,servers,engine,embedded"),
    "ask": Lazy("bots.ask:ask", "Ask one thing and print the answer; for pipes and scripts.", "agent,servers,engine,embedded"),
    "undo": Lazy("bots.undo:undo", "Take back a mail that was approved a moment ago and has not gone out.", "agent"),
    "sessions": Lazy("bots.sessions:sessions", "List, search, export, fork and delete conversations.", "agent"),
    "audit": Lazy("agent.audit.cli:audit", "Check and show the book of what the assistant decided, asked and did.", "agent"),
    "routes": Lazy("bots.routes:routes", "Show which models can answer, what was decided and why.", "agent"),
    "usage": Lazy("agent.watching.cli:usage", "Show what the models were asked for: turns, tokens, time and cost.", "agent"),
    "serve": Lazy("agent.cli:serve", "Run the agent service that chat and ask attach to.", "agent"),
    "gateway": Lazy("agent.gateway.cli:gateway", "Show how other programs reach your models and the agent.", "agent"),
    "connect": Lazy("agent.engine.connect:connect", "Use the engine of another machine: its address and its key.", "agent"),
    "engine": Lazy("inference.cli:engine", "Run and steer the engine: serve, status, switch, unload.", "engine,embedded"),
    "login": Lazy("mcp_servers.accounts.cli:login", "Let Variet into a Google account: calendars, mail, or sending.", "servers,google"),
    "logout": Lazy("mcp_servers.accounts.cli:logout", "Forget an account's tokens, and have Google end them.", "servers,google"),
    "accounts": Lazy("mcp_servers.accounts.cli:accounts", "List the accounts and what each allows.", "servers"),
    "mcp-agent": Lazy("agent.faces.mcp.cli:mcp_agent", "Serve the assistant itself as an MCP server for another program.", "agent"),
    "acp": Lazy("agent.faces.acp.cli:acp", "Serve the assistant to an editor such as Zed.", "agent"),
    "mcp": Lazy("mcp_servers.cli:mcp", "Run one of the tool servers for another MCP client.", "servers"),
}
EPILOG = """\b
Examples:
  variet chat --demo                      try it with invented mail and events
  variet ask "what's on my calendar tomorrow?"
  variet ask --yes=write "add lunch with Bo on Friday at noon"
  git log -5 | variet ask --json -        read the question from a pipe

\b
Exit codes: 0 done; 1 refused, failed, or something waits for approval;
2 wrong usage; 130 ended by Ctrl-C.
"""


class LazyGroup(click.Group):
    """A group whose commands come from the table."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names, in the table's order."""
        return [*COMMANDS, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now."""
        lazy = COMMANDS.get(cmd_name)
        return super().get_command(ctx, cmd_name) if lazy is None else load_command(cmd_name, lazy)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing one."""
        rows = [(name, lazy.help) for name, lazy in COMMANDS.items()]
        with formatter.section("Commands"):
            formatter.write_dl([*rows, ("version", "Show the version.")])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with a suggestion for a name that does not exist."""
        name = args[0]
        if name not in self.list_commands(ctx) and not name.startswith("-"):
            import difflib

            near = difflib.get_close_matches(name, self.list_commands(ctx), n=1)
            hint = f" Did you mean `variet {near[0]}`?" if near else " See `variet --help`."
            raise click.UsageError(f'There is no command "{name}".{hint}', ctx)
        return super().resolve_command(ctx, args)


def load_command(name: str, lazy: Lazy) -> click.Command:
    """Import a command.

    Raises:
        ExtraMissing: something that it needs is not installed; the text says what to install.
    """
    module, _, attribute = lazy.target.partition(":")
    with extra_needed(f"`variet {name}`", lazy.extra), nullcontext() if module in sys.modules else _lasting():
        command: object = getattr(importlib.import_module(module), attribute)
    if not isinstance(command, click.Command):
        raise TypeError(f"{lazy.target} is no command")
    return command


@contextmanager
def _lasting() -> Generator[None]:
    """What is made in the block stays for good, and is never looked through for garbage.

    Imports make hundreds of thousands of objects that stay. To look through them while they are made, and once more at the end of the
    program, took a quarter of the processor time of a short command.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


@click.group(cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="variet", message="variet %(version)s", help="Show the version, as the command does.")
def variet() -> None:
    """Variet: a private assistant with your calendar, mail and search, on your own machines."""


@variet.command()
def version() -> None:
    """Show the version."""
    import importlib.metadata

    click.echo(f"variet {importlib.metadata.version('variet')}")


def main() -> None:
    """The program. What the disk does not let any command do is one line: a traceback would tell the person nothing more."""
    be_empty_if_closed()
    be_nowhere_if_closed()
    take_any_sign()
    try:
        variet(prog_name="variet")
    except OSError as error:
        if error.errno not in FULL and not (error.errno in SHUT and error.filename):
            raise
        click.echo(f"variet: {error.filename or 'the output could not be written'}: {error.strerror}", err=True)
        _drop_output()
        sys.exit(FAILED)


def _drop_output() -> None:
    """What could not be written would be tried again at the end of the program, and complained about."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
