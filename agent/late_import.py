"""Modules that are imported by name while the program runs: in a thread, so that the event loop goes on, and one at a time.

Two threads in the middle of one package whose modules import each other would each wait for the other; Python then lets one of them have
the package half made, and an import fails that never fails alone.
"""

from __future__ import annotations

import importlib
import threading
from types import ModuleType

import anyio.to_thread

_ONE_AT_A_TIME = threading.Lock()


async def late_import(name: str) -> ModuleType:
    """A module by its name, once nobody else here is importing one."""
    return await anyio.to_thread.run_sync(_imported, name)


def _imported(name: str) -> ModuleType:
    with _ONE_AT_A_TIME:
        return importlib.import_module(name)
