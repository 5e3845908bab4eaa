"""New settings for an engine that runs: read the file again, compare, and hand over what changed; nothing that stayed the same notices.

A file that cannot be used changes nothing: it is refused with the words that a start would have used, and the old settings stay. The file
is looked at by its path and not held open, because editors write a new file and rename it over the old one.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from config.diff import diff_engines
from config.load import ConfigError, Overridden, load_engine, overridden_engine
from config.network.certificate import Stamp, stamps_of
from config.paths import Home
from config.schema import EngineSettings, ServerSection
from inference.catalog import Catalog
from inference.contract import ReloadAnswer
from inference.door.gate import Gate
from inference.door.keys import StoredKey, load_keys
from inference.door.tls import tls_context
from inference.errors import EngineError, KeyFileRefused, SettingsRefused, SetupRefused
from inference.processes.packaged import found_catalog
from inference.watched_file import FileWatch

KEYS_POLL_S = 0.25
"""Between two looks at the keys: one that was taken away is to open nothing any more, and its streams are to end, before its owner looks
again."""
Apply = Callable[[EngineSettings, Catalog, frozenset[str]], Awaitable[None]]
"""Lets new settings hold from now on; the names are those of models whose process must be another."""
_LOG = logging.getLogger(__name__)


class Origin:
    """Where an engine's settings come from, to be read as often as they change."""

    def __init__(self, home: Home, path: Path | None = None, overrides: Mapping[str, Any] | None = None) -> None:
        """`path` and `overrides` as for `config.load.load_engine`."""
        self.file = path or home.engine_toml
        self.watch = FileWatch(self.file)
        self._home = home
        self._path = path or _named(self.file)
        self._overrides = overrides or {}

    def read(self) -> EngineSettings:
        """The settings as they are now. A file that has been there once, at the start or since, may not vanish: that is no wish for the
        defaults.

        Raises:
            ConfigError: they cannot be used.
        """
        self._path = self._path or _named(self.file)
        return load_engine(self._path, self._overrides, home=self._home)

    def overridden(self) -> tuple[str, ...]:
        """What the file says to no effect, in words; nothing where it cannot be read, which reading it tells."""
        try:
            return tuple(_overridden_text(each) for each in overridden_engine(self._path, self._overrides, home=self._home))
        except ConfigError:
            return ()


@dataclass(frozen=True)
class Standing:
    """What the settings file says that this engine does not go by."""

    needs_restart: tuple[str, ...] = ()
    """Keys that count at its next start."""
    overridden: tuple[str, ...] = ()
    """In words, what was said otherwise at its start."""


def nothing_stands() -> Standing:
    """It goes by all of it."""
    return Standing()


class Reloader:
    """Takes on new settings, one change at a time."""

    def __init__(
        self,
        started_with: EngineSettings,
        read: Callable[[], EngineSettings],
        apply: Apply,
        overridden: Callable[[], tuple[str, ...]] = lambda: (),
        catalog_of: Callable[[EngineSettings], Catalog] = found_catalog,
    ) -> None:
        """`read` and `overridden`: as an `Origin` has them. `catalog_of`: what settings can serve on this machine."""
        self.standing = Standing(overridden=overridden())
        self._overridden = overridden
        self._catalog_of = catalog_of
        self._started_with = started_with
        self._settings = started_with
        self._certificate = _certificate_of(started_with.server)
        self._read = read
        self._apply = apply
        self._turn = anyio.Lock()

    async def reload(self) -> ReloadAnswer:
        """Read the settings again and let them hold.

        1. They are read and checked as at a start; what a start would refuse is refused here, and the old ones stay.
        2. What changed against those that hold is handed over.
        3. What cannot change is compared with those that the engine was started with: it stays told until the next start. What the file
           says to no effect, because the command line or the environment says otherwise, needs no restart and is told apart.
        4. A certificate that was renewed in its place is shown without any reload: it is checked by 1 and told among what counts.

        Raises:
            SettingsRefused: by 1.
        """
        async with self._turn:
            # 1.
            try:
                new = await anyio.to_thread.run_sync(self._read)
                catalog = await anyio.to_thread.run_sync(self._catalog_of, new)
                renewed = await anyio.to_thread.run_sync(self._renewed, new.server)  # 4.
            except ConfigError as error:
                raise SettingsRefused(f"The settings stay as they were. {error}", is_permanent=True) from error
            except SetupRefused as error:
                raise SettingsRefused(f"The settings stay as they were. {error.message}", is_permanent=True) from error
            # 2.
            diff = diff_engines(self._settings, new)
            await self._apply(new, catalog, frozenset(diff.changed))
            self._settings = new
            # 3.
            needs_restart = diff_engines(self._started_with, new).needs_restart
            self.standing = Standing(needs_restart, await anyio.to_thread.run_sync(self._overridden))
            return ReloadAnswer(
                kept=diff.kept,
                changed=diff.changed,
                added=diff.added,
                removed=diff.removed,
                names=diff.names,
                applied=tuple(sorted((*diff.applied, *renewed))),
                needs_restart=needs_restart,
                overridden=self.standing.overridden,
            )

    def _renewed(self, new: ServerSection) -> tuple[str, ...]:
        """The certificate's setting, where its files are others than when this was asked last."""
        shown = self._started_with.server
        now = _certificate_of(shown)
        # What the settings name no more may be gone.
        if now == self._certificate or (new.tls_cert, new.tls_key) != (shown.tls_cert, shown.tls_key):
            return ()
        tls_context(shown)
        self._certificate = now
        return ("server.tls_cert",)

    async def plan_anew(self) -> None:
        """Let the settings that hold be planned with once more, as the machine is now. The file is not read: nobody has changed it."""
        async with self._turn:
            try:
                catalog = await anyio.to_thread.run_sync(self._catalog_of, self._settings)
                await self._apply(self._settings, catalog, frozenset())
            except Exception:  # noqa: BLE001 - the engine goes on as it was
                _LOG.exception("It goes on being planned as it was. The engine made a mistake:")

    async def take_change(self) -> None:
        """Reload because the file has changed; the log says what came of it. A fault of ours, too, leaves the engine as it is."""
        try:
            answer = await self.reload()
        except EngineError as error:
            _LOG.error("%s", error.message)
            return
        except Exception:  # noqa: BLE001 - whoever saves a file must not end the streams of an engine that runs
            _LOG.exception("The settings stay as they were. The engine made a mistake with them:")
            return
        told = answer.model_dump(exclude_defaults=True, exclude={"kept"})
        _LOG.warning("new settings: %s", "; ".join(f"{what}: {', '.join(names)}" for what, names in told.items()) or "nothing is different")


async def take_keys(path: Path, gate: Gate, parent: StoredKey | None = None) -> None:
    """Take on the keys that the file holds now: one that is gone stops at once. An unusable file is logged and changes nothing."""
    try:
        gate.replace(await anyio.to_thread.run_sync(load_keys, path, parent))
    except KeyFileRefused as error:
        _LOG.error("The keys stay as they were. %s", error.message)


def _certificate_of(server: ServerSection) -> tuple[Stamp, Stamp] | None:
    return None if server.tls_cert is None or server.tls_key is None else stamps_of(server.tls_cert, server.tls_key)


def _named(file: Path) -> Path | None:
    """`file`, unless nothing is there. One that the disk does not let us look at is there: reading it says what is the matter."""
    try:
        file.stat()
    except FileNotFoundError:
        return None
    except OSError:
        pass
    return file


def _overridden_text(each: Overridden) -> str:
    return f"{each.key}: {each.by} says {each.used}, which counts; the file's {each.file} counts at a start without it"
