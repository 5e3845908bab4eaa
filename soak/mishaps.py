"""What goes wrong in a soak: a model's process is killed, the settings change, somebody unloads what is in use."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import httpx2

from soak.machine import is_child, parent_of
from soak.plan import BAD_SETTINGS, KILL_WINDOW_S, KILLS_PER_MODEL, VARIANTS, Model, draw_mishap, settings_text

AFTERMATH_S = 10.0
"""In which what went wrong may still cost a swap: the longest back-off and a load."""
_REFUSED = 422
_OK = 200


class Mishap(NamedTuple):
    at: float
    killed: str | None = None
    """The model."""


class Mishaps:
    """Makes trouble, one at a time, and counts it."""

    def __init__(self, random: Random, http: httpx2.AsyncClient, among: Sequence[Model], files: Mapping[str, str], place: Path) -> None:
        """`place` holds the program and the `engine.toml` that the engine was started with."""
        self.counted: Counter[str] = Counter()
        self.faults: list[str] = []
        """Where the engine answered something else than it should."""
        self._random = random
        self._http = http
        self._among = among
        self._files = files
        self._place = place
        self._kills: defaultdict[str, list[float]] = defaultdict(list)
        self._variant = 0
        self._past: list[Mishap] = []

    def between(self, begin: float, end: float) -> list[Mishap]:
        """What went wrong then, by the monotonic clock; also shortly before, because it takes a while to be over."""
        return [each for each in self._past if begin - AFTERMATH_S <= each.at <= end]

    async def one(self) -> None:
        """Let one thing go wrong."""
        kind = draw_mishap(self._random)
        match kind:
            case "kill" | "kill the launcher":
                await self._kill(kind)
            case "reload":
                self._variant = (self._variant + self._random.randrange(1, VARIANTS)) % VARIANTS
                await self._reload(self.text(self._variant), _OK, kind)
            case "bad reload":
                await self._reload(BAD_SETTINGS, _REFUSED, kind)
                # What the file says is what holds again; else the next start would fail.
                await self._reload(self.text(self._variant), _OK, "reload")
            case "unload":
                await self._unload()

    async def calm(self) -> None:
        """Back to the settings of the beginning."""
        await self._reload(self.text(0), _OK, "reload")

    def text(self, variant: int) -> str:
        """The settings of a variant."""
        return settings_text(self._among, self._files, str(self._place / "either-server"), variant)

    async def _kill(self, kind: str) -> None:
        models: list[dict[str, Any]] = (await self._http.get("/engine/status")).json()["models"]
        now = time.monotonic()
        for model in self._random.sample(models, len(models)):
            pid, kills = model["pid"], self._kills[model["name"]]
            if pid is None or len([at for at in kills if now - at < KILL_WINDOW_S]) >= KILLS_PER_MODEL:
                continue
            target = pid if kind == "kill" else parent_of(pid)
            # It may have ended since, its number may be another's, and who adopted it is no launcher.
            if not is_child(target, self._place, is_launcher=kind == "kill the launcher"):
                continue
            kills.append(now)
            self._past.append(Mishap(now, model["name"]))
            with contextlib.suppress(ProcessLookupError):
                os.kill(target, signal.SIGKILL)
                self.counted[f"{kind}, {model['state']}"] += 1
            return

    async def _reload(self, text: str, status: int, kind: str) -> None:
        path = self._place / "home" / "config" / "engine.toml"
        new = path.with_suffix(".new")
        new.write_text(text, encoding="utf-8")
        os.replace(new, path)
        self._past.append(Mishap(time.monotonic()))
        answer = await self._http.post("/engine/reload")
        self.counted[kind] += 1
        if answer.status_code != status:
            self.faults.append(f"{kind} was answered {answer.status_code}: {answer.text}")

    async def _unload(self) -> None:
        model = self._random.choice([None, *(each.name for each in self._among)])
        self._past.append(Mishap(time.monotonic()))
        answer = await self._http.post("/engine/unload", json={"model": model})
        self.counted["unload"] += 1
        if answer.status_code not in (_OK, 404):
            self.faults.append(f"unload was answered {answer.status_code}: {answer.text}")
