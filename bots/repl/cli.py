"""`variet chat`: the command, and what it is put together from."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import click

from bots.demo import choose_seed, demo_home
from bots.farewell import leave_on_signals
from bots.link import Link
from bots.repl.chat import Chat
from bots.repl.commands import NAMES
from bots.repl.person import Person
from bots.repl.pipe import PipePerson
from bots.repl.screen import Screen
from bots.repl.terminal import TerminalPerson
from config.load import ConfigError, load_agent
from config.paths import Home

HISTORY_FILE = "chat_history"
SETTINGS_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
INTERRUPTED = 130
FAILED = 1
EPILOG = """\b
Examples:
  variet chat --demo            try it with invented mail and events
  variet chat --tier balanced   have the larger model answer
  variet chat --session ID      go on, and answer what waits for approval

\b
Exit codes: 0 left, 1 could not start, 2 wrong usage, 130 ended by Ctrl-C.
"""


@click.command(epilog=EPILOG)
@click.option("--demo", "is_demo", is_flag=True, help="Use a throw-away home with invented mail and events.")
@click.option("--seed", type=click.IntRange(min=0), callback=choose_seed, help="Which invented week the demo has. Without it: any.")
@click.option("--tier", help="Have this tier answer, such as fast or balanced.")
@click.option("--session", help="Go on with this session.")
@click.option("--config", "settings_path", type=SETTINGS_FILE, help="Instead of the home's agent.toml.")
def chat(*, is_demo: bool, seed: int, tier: str | None, session: str | None, settings_path: Path | None) -> None:
    """Talk to the assistant in this terminal.

    What it wants to write, send or delete is shown exactly as it will happen, and asked for. Ctrl-C cancels the turn that runs; Ctrl-D,
    or Ctrl-C twice at an empty prompt, leaves. With no settings at all it brings its own small model and uses local stores.
    """
    home = Home.find()
    screen = Screen()
    try:
        zone = load_agent(settings_path, home=home).agent.zone
        history = None if is_demo else home.prepare().state_dir / HISTORY_FILE
        person = _person(screen, history)
    except (ConfigError, OSError) as error:
        click.echo(f"variet chat: {error}", err=True)
        sys.exit(FAILED)

    if is_demo:
        screen.line(f"Demo week {seed} (--seed {seed}): invented events and mail, thrown away at the end.", "dim")

    @asynccontextmanager
    async def open_home() -> AsyncGenerator[Home]:
        if not is_demo:
            yield home
            return
        async with demo_home(seed, zone=zone) as demo:
            yield demo

    async def talk() -> None:
        link = Link(open_home, settings_path=settings_path, on_status=lambda text: conversation.status(text))
        conversation = Chat(link, screen, person, tier=tier, session=session)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(link.run)
            await conversation.run()
            tasks.cancel_scope.cancel()

    leave_on_signals()
    try:
        anyio.run(talk)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _person(screen: Screen, history: Path | None) -> Person:
    if screen.is_live and sys.stdin.isatty():
        return TerminalPerson(screen, history=history, commands=list(NAMES))
    return PipePerson()
