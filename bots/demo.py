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

from agent.address import Address
from agent.attach import end_service
from agent.local_time import find_zone
from config.paths import Home

SEEDER = ("mcp_servers.demo", "seed_demo")
MAX_SEED = 10_000
"""Short enough to be typed again."""
PREFIX = "variet-demo-"
END_BOUND_S = 30.0
"""The service ends its children within its own bounds; after this the folder goes all the same."""


def choose_seed(seed: int | None) -> int:
    """The seed that was asked for, else any."""
    return random.randrange(MAX_SEED) if seed is None else seed


@asynccontextmanager
async def demo_home(seed: int, *, zone: str | None) -> AsyncGenerator[Home]:
    """A seeded home in a temporary folder; at the end its service is told to leave, and the folder is removed.

    Args:
        seed: the same seed on the same day gives the same week.
        zone: the person's zone; None for this machine's.
    """
    root = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        home = Home.at(root).prepare()
        here = find_zone(zone)
        await anyio.to_thread.run_sync(_seed, home.data_dir, seed, here.now(), here.name)
        yield home
    finally:
        with anyio.CancelScope(shield=True):
            if Address.read(Home.at(root)) is not None:
                with anyio.move_on_after(END_BOUND_S):
                    await end_service(Home.at(root))
            shutil.rmtree(root, ignore_errors=True)


def _seed(folder: Path, seed: int, now: datetime, zone: str) -> None:
    module, function = SEEDER
    getattr(importlib.import_module(module), function)(folder, seed, now, zone)
