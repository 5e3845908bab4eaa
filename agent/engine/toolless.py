"""Which names of one engine stand for models whose templates have no tools, for as long as that may still be true.

Who has no tools is passed over and so not loaded again, which is when its server would be asked anew: what was put right counts as soon as
the engine lists the name otherwise or was away, and after a while in any case.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from inference.contract.status import ServedMeta, ServedModels

TOOLLESS_S = 600.0
"""How long it counts for a name that is not loaded any more: then it is tried again."""


class _Mark(NamedTuple):
    """One load of what stands behind a name."""

    model: str
    n_ctx: int
    loads: int
    fingerprint: str | None


class _Noted(NamedTuple):
    until: float
    mark: _Mark | None
    """None where the engine never listed the name."""


class Toolless:
    """The names of one engine.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._noted: dict[str, _Noted] = {}
        self._listed: dict[str, ServedMeta] = {}

    @property
    def names(self) -> frozenset[str]:
        """As their servers said when they were last asked about themselves."""
        now = self._clock()
        return frozenset(name for name, noted in self._noted.items() if noted.until > now)

    def note(self, name: str, *, is_toolless: bool) -> None:
        """The server of a loaded model was asked."""
        self._noted.pop(name, None)
        if is_toolless:
            meta = self._listed.get(name)
            # What was not loaded when it was listed has been loaded since.
            mark = _mark(meta, later=0 if meta.state == "ready" else 1) if meta is not None else None
            self._noted[name] = _Noted(self._clock() + TOOLLESS_S, mark)

    def see(self, served: ServedModels) -> None:
        """The engine listed what it serves: who was started otherwise, or again, may have tools by now."""
        self._listed = {each.id: each.meta for each in served.data}
        self._noted = {name: noted for name, noted in self._noted.items() if noted.mark is None or noted.mark == self._now(name)}

    def forget(self) -> None:
        """The engine did not answer: it may be another one when it does."""
        self._noted, self._listed = {}, {}

    def _now(self, name: str) -> _Mark | None:
        meta = self._listed.get(name)
        return _mark(meta) if meta is not None else None


def _mark(meta: ServedMeta, *, later: int = 0) -> _Mark:
    return _Mark(meta.model, meta.n_ctx, meta.loads + later, meta.fingerprint)
