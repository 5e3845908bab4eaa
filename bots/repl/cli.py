"""`variet chat`: the command, and what it is put together from."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import click

from agent.errors import AgentError
from agent.farewell import run_until_told
from agent.service.attach import say_on_stderr
from agent.service.home_use import prepared
from agent.sessions.typed import HISTORY_FILE
from bots.demo import choose_seed, demo_home
from bots.link import Link
from config.load import ConfigError, load_agent
from config.paths import Home
from config.plain import neutralise

if TYPE_CHECKING:
    from bots.repl.chat import Chat

CONSOLE = "bots.repl.console"
LIBRARIES = ("prompt_toolkit", "rich")
"""What the console needs, beside what is needed anyway."""
SPAWN_BOUND_S = 0.5
"""The console's import lets the service be started first; with a demo to invent that takes a quarter of a second."""
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
    try:
        settings = load_agent(settings_path, home=home)
        zone, roots = settings.agent.zone, (Path.cwd(), *settings.workspace.roots)
        history = None if is_demo else prepared(home).state_dir / HISTORY_FILE
    except (AgentError, ConfigError, OSError) as error:
        click.echo(f"variet chat: {error}", err=True)
        sys.exit(FAILED)

    @asynccontextmanager
    async def open_home() -> AsyncGenerator[Home]:
        if not is_demo:
            yield home
            return
        async with demo_home(seed, zone=zone) as demo:
            yield demo

    async def talk() -> str | None:
        statuses = _Statuses()
        link = Link(open_home, settings_path=settings_path, on_status=statuses.take, on_older=statuses.tell)
        failure: str | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(link.run)
            with anyio.move_on_after(SPAWN_BOUND_S):
                await statuses.has_begun.wait()
            # By name and in a thread: what draws takes as long to import as the service to start, which goes on meanwhile.
            console = await anyio.to_thread.run_sync(importlib.import_module, CONSOLE)
            greeting = f"Demo week {seed} (--seed {seed}): invented events and mail, thrown away at the end." if is_demo else ""
            conversation: Chat = console.open_chat(link, greeting=greeting, history=history, tier=tier, session=session, roots=roots)
            statuses.show_in(conversation)
            await conversation.run()
            failure = conversation.failure
            tasks.cancel_scope.cancel()
        return failure

    try:
        failure = run_until_told(talk)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BaseExceptionGroup as errors:
        # rich leaves, from within the tasks, where nobody reads any more what it writes: behind `head`.
        if errors.split(SystemExit)[1] is not None:
            raise
        sys.exit(FAILED)
    if failure is not None:
        click.echo(f"variet chat: {neutralise(failure)}", err=True)
        sys.exit(FAILED)


def _require_libraries() -> None:
    """Say at once that one is missing: they are imported too late for whoever loads this module to tell."""
    for name in LIBRARIES:
        if importlib.util.find_spec(name) is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


_require_libraries()


class _Statuses:
    """What the link is doing, kept until there is somebody to show it."""

    def __init__(self) -> None:
        self.has_begun = anyio.Event()
        """Set when the link has told the first thing: it is starting the service, or needs not."""
        self._latest: str | None = None
        self._chat: Chat | None = None

    def take(self, text: str | None) -> None:
        """A new one."""
        self._latest = text
        self.has_begun.set()
        if self._chat is not None:
            self._chat.status(text)

    def tell(self, text: str) -> None:
        """A line that stays. Before the chat there is nothing on the screen that it could break."""
        if self._chat is not None:
            self._chat.tell(text)
        else:
            say_on_stderr(text)

    def show_in(self, chat: Chat) -> None:
        """From now on."""
        self._chat = chat
        chat.status(self._latest)
