"""Which programs know the older protocol alone: remembered, so that their next start does not ask first, which some never answer.

The library asks each server which protocols it knows, and waits ten seconds for one that says nothing to what it does not know.
"""

from __future__ import annotations

import json
import logging
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from agent.tools.endings import first_line, is_closed_error
from agent.tools.spec import ServerSpec
from config.disk.whole_file import write_whole

if TYPE_CHECKING:
    from mcp import Client

AUTO, LEGACY = "auto", "legacy"
"""The library's own words: ask first; or begin in the older protocol."""
OLDER_FILE = "older_servers.json"
STARTED_S = 3.0
"""In which a program that runs answers the older protocol's first message. One that takes longer was being downloaded or slow to start, not
silent, and may well know the newer one."""
log = logging.getLogger(__name__)


class OlderBook:
    """The programs that were begun with in the older protocol, by their commands. May be used from several threads.

    Args:
        file: where; None to keep it in memory alone.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._known: set[str] | None = None
        self._lock = Lock()

    def mode_of(self, spec: ServerSpec) -> str:
        """How a server is begun with. Reads the disk at the first call; where that fails it is asked, which costs time and nothing else."""
        if not _is_program(spec):
            return AUTO
        with self._lock:
            return LEGACY if _key(spec) in self._read() else AUTO

    def note(self, spec: ServerSpec, mode: str) -> None:
        """How a server was begun with that has started. Writes the disk where that is new."""
        if not _is_program(spec):
            return
        with self._lock:
            known, key = self._read(), _key(spec)
            if (mode == LEGACY) == (key in known):
                return
            self._known = known = known | {key} if mode == LEGACY else known - {key}
            if self._file is None:
                return
            try:
                write_whole(self._file, json.dumps(sorted(known), indent=1) + "\n")
            except OSError as error:
                log.warning("cannot keep which servers know the older protocol alone: %s", error)

    def _read(self) -> set[str]:
        if self._known is None:
            try:
                plain: Any = json.loads(self._file.read_text(encoding="utf-8")) if self._file is not None and self._file.exists() else []
                self._known = {str(each) for each in plain}
            except (OSError, ValueError, TypeError) as error:
                log.warning("cannot read which servers know the older protocol alone: %s", error)
                self._known = set()
        return self._known


def other_mode(spec: ServerSpec, mode: str, error: BaseException) -> str:
    """How else a server that did not start is begun with at once; empty where that would help nothing.

    1. It may have ended at the question which protocol it knows, as a program that knows the older one alone may.
    2. It was remembered as one that knows the older, and may be of a newer version that knows it no more.
    """
    if not _is_program(spec):
        return ""
    is_of_use = is_closed_error(error) if mode == AUTO else not isinstance(error, OSError)
    if not is_of_use:
        return ""
    other = LEGACY if mode == AUTO else AUTO
    log.info("server %s did not start in mode %s, and is started in mode %s: %s", spec.name, mode, other, first_line(error))
    return other


def was_silent(client: Client, took_s: float) -> bool:
    """Whether a server that has been begun with gave no answer to the question which protocol it knows.

    Args:
        client: entered.
        took_s: how long that took.
    """
    from mcp.client.session import DISCOVER_TIMEOUT_SECONDS

    return client.session.initialize_result is not None and 0 <= took_s - DISCOVER_TIMEOUT_SECONDS < STARTED_S


def _is_program(spec: ServerSpec) -> bool:
    """Whether it is a program of somebody else's."""
    return not spec.url and spec.builtin is None


def _key(spec: ServerSpec) -> str:
    # A command may hold what is nobody's business, and another command is another program.
    return sha256(json.dumps(spec.command).encode(errors="surrogatepass")).hexdigest()
