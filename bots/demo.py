"""The demo's throw-away home: a week of invented events and mails, different at each seed, and nothing left of it afterwards.

The seed data belongs to the tool servers' package, which is reached by name only: an installation without it still has a chat.
"""

from __future__ import annotations

import importlib
import random
import shutil
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import anyio
import anyio.to_thread
import click

from agent.errors import AgentError
from agent.local_time import find_zone
from agent.service.address import Address
from agent.service.attach import end_service
from config.extras import ExtraMissing, extra_needed
from config.paths import Home

SEEDER = ("mcp_servers.demo", "seed_demo")
SEEDER_EXTRA = "servers"
"""Brings what it needs."""
NO_ZONE = "UTC"
"""For a machine that does not tell its zone."""
MAX_SEED = 10_000
"""Short enough to be typed again."""
PREFIX = "variet-demo-"
SERVICE_LOG = "service.log"
"""Of a service that was started."""
STARTING_BOUND_S = 10.0
"""A service that was started a moment ago has a place within a second or two; one that never comes has failed."""
LOOK_S = 0.05
END_BOUND_S = 30.0
"""The service ends its children within its own bounds; after this the folder goes all the same."""


def choose_seed(_: click.Context, __: click.Parameter, seed: int | None) -> int:
    """The value of `--seed`: what was asked for, else any."""
    return random.randrange(MAX_SEED) if seed is None else seed


@asynccontextmanager
async def demo_home(seed: int, *, zone: str | None, now: datetime | None = None) -> AsyncGenerator[Home]:
    """A seeded home in a temporary folder; at the end its service is told to leave, and the folder is removed.

    Args:
        seed: the same seed on the same day gives the same week.
        zone: the person's zone; None for this machine's.
        now: when the week begins; None for today.

    Raises:
        AgentError: what invents the week is not installed.
    """
    root = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        home = Home.at(root).prepare()
        here = find_zone(zone)
        begins = here.now() if now is None else now.astimezone(here.info)
        await anyio.to_thread.run_sync(_seed, home.data_dir, seed, begins, here.name or NO_ZONE)
        yield home
    finally:
        with anyio.CancelScope(shield=True):
            with anyio.move_on_after(END_BOUND_S):
                await _end(Home.at(root))
            shutil.rmtree(root, ignore_errors=True)


async def _end(home: Home) -> None:
    """End the home's service, also one that is still on its way: it would come into a folder that is gone, and make it anew."""
    if (home.log_dir / SERVICE_LOG).exists():
        with anyio.move_on_after(STARTING_BOUND_S):
            while Address.read(home) is None:  # noqa: ASYNC110 - another process: no event of ours can tell
                await anyio.sleep(LOOK_S)
    await end_service(home)


def _seed(folder: Path, seed: int, now: datetime, zone: str) -> None:
    module, function = SEEDER
    try:
        with extra_needed("The demo", SEEDER_EXTRA):
            getattr(importlib.import_module(module), function)(folder, seed, now, zone)
    except ExtraMissing as error:
        raise AgentError(error.message) from error
