"""Build an engine out of its settings and run it until it is told to stop; the only place that knows all the parts."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from config.disk.whole_file import sweep_parts
from config.paths import Home, make_private
from config.schema import EngineSettings
from inference.app import Engine
from inference.cards.late import await_cards
from inference.cards.lender import Lender
from inference.cards.memory import MemoryBook
from inference.cards.nvml import open_cards
from inference.cards.returning import CardMemory
from inference.catalog import Catalog, ModelSpec
from inference.door.keys import KEY_FILE, load_keys
from inference.door.listening import Front, Server, gate_of, open_front
from inference.door.parent_key import take_parent_key
from inference.events import EventHub
from inference.files.read_ahead import ReadAhead
from inference.mode.obey import ObeyedMode
from inference.mode.state import mode_file
from inference.observing.history import LoadTimes
from inference.observing.observatory import Observatory
from inference.processes.children import STOP_ALL_BOUND_S
from inference.processes.launching import Launcher
from inference.processes.packaged import found_catalog
from inference.processes.process_group import keep_memory_together
from inference.proxy import Proxy, open_connections
from inference.reload import KEYS_POLL_S, Origin, Reloader, take_keys
from inference.scheduling.policy import Policy
from inference.scheduling.residency import UNMEASURED, Limits, Memory
from inference.supervisor import Supervisor
from inference.warmth.keeper import Keeper
from inference.warmth.shelf import Shelf
from inference.watched_file import FileWatch

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Manners:
    """How this process behaves towards whoever started it."""

    port_file: Path | None = None
    """Where to write `{"url", "pid"}` once it listens."""
    is_leashed: bool = False
    """End when standard input closes, so that no engine outlives a parent that was killed."""


@dataclass(frozen=True)
class _Watched:
    """What the control routes show beside the supervisor."""

    version: str
    observatory: Observatory
    reloader: Reloader
    max_body_mib: int
    """The largest request that is taken."""


def run_engine(settings: EngineSettings, home: Home, manners: Manners, version: str, origin: Origin | None = None) -> None:
    """Run an engine; returns when it has stopped and no child is left. Changes of `origin` and of the keys are taken on meanwhile.

    Raises:
        SetupRefused: an address, a key file or a model that cannot be used as configured.
    """
    keep_memory_together()
    sweep_parts(home.prepare().state_dir)
    origin = origin or Origin(home)
    key_watch = FileWatch(home.config_dir / KEY_FILE)
    parent = take_parent_key(os.environ) if manners.is_leashed else None
    keys = load_keys(key_watch.path, parent)
    look = open_cards()
    catalog = found_catalog(settings, look)
    observatory = Observatory.at(home, retention_days=settings.activity.retention_days if settings.activity.enabled else None, look=look)
    book = MemoryBook(home.state_dir / "memory.json", home.log_dir)

    def memory_of(settings: EngineSettings, specs: Mapping[str, ModelSpec]) -> Memory:
        return book.memory(specs, settings.residency.total_mib, settings.residency.vram_margin_mib, look())

    mode = ObeyedMode(mode_file(home))
    kept = _warmth_folder(settings, home)
    with (
        open_front(settings.server, settings.server.port, has_keys=not keys.is_open) as front,
        closing(Launcher(settings, home.log_dir, kept)) as launcher,
    ):

        async def run() -> None:
            card_memory = CardMemory(book, look)
            async with open_connections() as connections:
                shelf = None if kept is None else Shelf(kept, settings.warmth.max_mib * 2**20)
                keeper = Keeper(shelf, launcher.identity, connections)
                supervisor = Supervisor(
                    catalog,
                    policy(settings, catalog.models, memory_of(settings, catalog.models)),
                    launcher,
                    LoadTimes(home.state_dir / "load_times.json"),
                    EventHub(observatory.observe_swap),
                    keeper,
                    card_memory,
                )
                proxy = Proxy(
                    supervisor, connections, settings.server.max_body_mib * 2**20, observatory.observe, hung_s=settings.load.hung_s
                )
                gate = gate_of(settings.server, keys)

                async def apply(new: EngineSettings, catalog: Catalog, replaced: frozenset[str]) -> None:
                    await take_keys(key_watch.path, gate, parent)
                    # What may fail comes first, so that nothing is half taken on.
                    memory = await anyio.to_thread.run_sync(memory_of, new, catalog.models)
                    launcher.adopt(new)
                    await supervisor.reconfigure(catalog, policy(new, catalog.models, memory), replaced)

                reloader = Reloader(settings, origin.read, apply, origin.overridden, partial(found_catalog, look=look))
                engine = Engine(gate, supervisor, proxy, version, mode)
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(origin.watch.run, reloader.take_change)
                    tasks.start_soon(partial(key_watch.run, partial(take_keys, key_watch.path, gate, parent), every_s=KEYS_POLL_S))
                    tasks.start_soon(ReadAhead(supervisor).run)
                    if card_memory.is_watched and not book.has_cards:
                        tasks.start_soon(await_cards, look, reloader.plan_anew)
                    if settings.mode.yield_mib is not None:
                        tasks.start_soon(Lender(supervisor, card_memory, settings.mode.yield_mib, settings.mode.drain_s).run)
                    tasks.start_soon(mode.give_way, supervisor, settings.mode.drain_s if settings.mode.unload else None)
                    await _run(engine, supervisor, front, manners, _Watched(version, observatory, reloader, settings.server.max_body_mib))
                    tasks.cancel_scope.cancel()

        with observatory.watching():
            anyio.run(run)


def policy(settings: EngineSettings, specs: Mapping[str, ModelSpec], memory: Memory = UNMEASURED) -> Policy:
    """What the settings say about queueing, stopping and who stays beside whom."""
    queue, residency = settings.queue, settings.residency
    return Policy(
        specs,
        queue.limit,
        queue.max_wait_s,
        queue.age_bound_s,
        queue.min_residency_s,
        settings.stop.drain_s,
        memory=memory,
        limits=Limits(residency.max_llm, residency.max_tts, residency.evict_higher),
        idle_timeout_s=residency.idle_timeout_s,
        queue_policy=queue.policy,
    )


def _warmth_folder(settings: EngineSettings, home: Home) -> Path | None:
    """Where conversations are kept over swaps; None where they are not."""
    if not settings.warmth.enabled or settings.warmth.max_mib == 0:
        return None
    try:
        return make_private(home.state_dir / "warmth")
    except OSError as error:
        _LOG.warning("conversations are not kept: %s", error)
        return None


async def _run(engine: Engine, supervisor: Supervisor, front: Front, manners: Manners, watched: _Watched) -> None:
    server = Server(front.config(engine))
    stop = StopSignal()
    async with anyio.create_task_group() as tasks:
        await tasks.start(supervisor.run)
        tasks.start_soon(_serve_http, server, front, tasks.cancel_scope)
        stop.listen(is_leashed=manners.is_leashed)
        with front.announced("engine", manners.port_file):
            tasks.start_soon(_load_control, engine, supervisor, watched)
            await stop.first.wait()
            tasks.start_soon(_hurry, stop, supervisor)
            await supervisor.shut_down()
        server.end()


async def _serve_http(server: Server, front: Front, scope: anyio.CancelScope) -> None:
    """Serve until told to stop; nothing else has a reason to run on then."""
    await server.serve([front.listener])
    scope.cancel()


async def _load_control(engine: Engine, supervisor: Supervisor, watched: _Watched) -> None:
    """Import the control routes in a thread, so that the engine answers meanwhile."""
    control = await anyio.to_thread.run_sync(importlib.import_module, "inference.control")
    app = control.build_control(supervisor, watched.version, watched.observatory, lambda: watched.reloader.standing, watched.max_body_mib)
    control.add_reload(app, watched.reloader.reload)
    engine.set_control(app)


async def _hurry(stop: StopSignal, supervisor: Supervisor) -> None:
    await stop.second.wait()
    await supervisor.shut_down()


class StopSignal:
    """Turns signals, and the end of standard input, into events: the first asks for an orderly stop, the second for one at once."""

    def __init__(self) -> None:
        self.first = anyio.Event()
        self.second = anyio.Event()
        self._loop = asyncio.get_running_loop()

    def listen(self, *, is_leashed: bool) -> None:
        """Begin to listen; from the main thread."""
        for number in (signal.SIGINT, signal.SIGTERM, *([signal.SIGBREAK] if sys.platform == "win32" else [])):
            signal.signal(number, self._take_signal)
        # The terminal is gone. What `nohup` has us ignore stays ignored.
        if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._take_hang_up)
        if is_leashed:
            threading.Thread(target=self._await_parent, name="leash", daemon=True).start()

    def _take_signal(self, _number: int, _frame: object) -> None:
        self._from_thread(self._ask)

    def _take_hang_up(self, _number: int, _frame: object) -> None:
        # Both the system and the shell may say it: twice is no hurry.
        self._from_thread(self.first.set)

    def _ask(self) -> None:
        (self.second if self.first.is_set() else self.first).set()

    def _await_parent(self) -> None:
        """In a thread: standard input ends when the parent has closed it or is gone. Nobody waits for answers then."""
        while sys.stdin.buffer.read(1):
            pass
        guard = threading.Timer(STOP_ALL_BOUND_S, os._exit, (1,))
        guard.daemon = True
        guard.start()
        self._from_thread(self.first.set)
        self._from_thread(self.second.set)

    def _from_thread(self, call: Any) -> None:
        self._loop.call_soon_threadsafe(call)
