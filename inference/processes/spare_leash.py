"""Keep one launcher started and waiting, so that a swap does not pay for the start of an interpreter (15 to 30 ms).

It is made while a model loads, beside the start and the first answer that people wait for, and is only ever an advantage: without one,
with one that died, or where launchers are not needed (Windows), a process is started as if there were none.
"""

from __future__ import annotations

import contextlib
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence

from inference.processes import process_group
from inference.processes.leash import order
from inference.processes.process_group import Family

Start = Callable[[Sequence[str], Mapping[str, str]], Family]
"""Starts a command with exactly this environment; raises OSError."""

ORDER_BOUND = 16 * 1024
"""Bytes that a pipe takes at once on every system: a longer order could wait for a launcher that hangs, and with it the engine."""
_LOG = logging.getLogger(__name__)


class SpareLeash:
    """At most one launcher that waits."""

    def __init__(self) -> None:
        self._spare: subprocess.Popen[bytes] | None = None
        self._is_closed = False
        self._lock = threading.Lock()

    @property
    def pid(self) -> int | None:
        """The one that waits."""
        return None if self._spare is None else self._spare.pid

    def prepare_soon(self) -> None:
        """Have one wait in a moment: starting it takes a millisecond or two that the event loop is not to lose."""
        if self._spare is None:
            threading.Thread(target=self.prepare, name="spare leash", daemon=True).start()

    def prepare(self) -> None:
        """Have one wait from now on."""
        if sys.platform == "win32":
            return
        with self._lock:
            if self._spare is not None or self._is_closed:
                return
            try:
                self._spare = process_group.start_launcher(process_group.leashed_argv(None))
            except OSError as error:
                _LOG.info("no launcher is kept ready: %s", error)

    def start(self, argv: Sequence[str], env: Mapping[str, str]) -> Family:
        """Start `argv` with exactly `env`, by the launcher that waits if there is one.

        Raises:
            OSError: it could not be started.
        """
        with self._lock:
            spare, self._spare = self._spare, None
        text = order(argv, env)
        if spare is not None and len(text) <= ORDER_BOUND and _takes(spare, text):
            return Family(launcher=spare)
        if spare is not None:
            _dismiss(spare)
        return process_group.spawn(argv, env)

    def close(self) -> None:
        """Let the one that waits go, and keep none any more."""
        with self._lock:
            spare, self._spare, self._is_closed = self._spare, None, True
        if spare is not None:
            _dismiss(spare)


def _takes(spare: subprocess.Popen[bytes], text: bytes) -> bool:
    if spare.poll() is not None or spare.stdin is None:
        return False
    try:
        return spare.stdin.write(text) == len(text)
    except OSError:
        return False


def _dismiss(spare: subprocess.Popen[bytes]) -> None:
    """It has started nothing, so nothing is left when it is killed."""
    spare.kill()
    for pipe in (spare.stdin, spare.stdout, spare.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    spare.wait()
