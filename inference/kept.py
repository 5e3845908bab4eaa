"""Small JSON files that the engine remembers things in: written whole or not at all, and never the reason for an error.

What is in them can be learned again, so a file that cannot be read is an empty one, and one that cannot be written is a warning.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from config.disk.whole_file import write_whole

TURN_BOUND_S = 10.0
"""For the writer before: such a file takes milliseconds, and on a disk that hangs whoever waits would wait with it."""
_T = TypeVar("_T")
_LOG = logging.getLogger(__name__)


class KeptFile:
    """One such file. Of several writers side by side the last one's value stays."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = threading.Lock()

    def read(self, parse: Callable[[Any], dict[str, _T]]) -> dict[str, _T]:
        """What the file holds, through `parse`; nothing when it is not there or makes no sense.

        Args:
            parse: from decoded JSON; may raise ValueError, TypeError, AttributeError or ArithmeticError.
        """
        try:
            return parse(json.loads(self._path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
            _LOG.warning("%s is unreadable and starts afresh: %s", self._path.name, error)
            return {}

    def write(self, value: Callable[[], object]) -> None:
        """Keep a value as JSON; called from a thread.

        Args:
            value: asked only when it is this writer's turn, so that none writes over what is newer; others may change things meanwhile.
        """
        if not self._turn.acquire(timeout=TURN_BOUND_S):
            _LOG.warning("%s was not saved: the disk has not taken what came before for %g s", self._path.name, TURN_BOUND_S)
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._path, json.dumps(value()))
        except OSError as error:
            _LOG.warning("%s was not saved: %s", self._path.name, error)
        finally:
            self._turn.release()
