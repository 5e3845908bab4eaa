"""A real CalDAV server for tests: Radicale, in a process of its own on loopback, with basic authentication.

It is no dependency of ours: `VARIET_TEST_RADICALE` names the Python that has it (CI makes one from `.ci/radicale.lock`),
else this Python is asked.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx2

START_TIMEOUT_S = 60.0
"""A start on a busy machine takes many seconds."""
PASSWORD = "planted-canary-5dbe81"
PYTHON = os.environ.get("VARIET_TEST_RADICALE", sys.executable)
_MKCALENDAR = (
    '<?xml version="1.0" encoding="utf-8"?><C:mkcalendar xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop>'
    "<D:displayname>{name}</D:displayname></D:prop></D:set></C:mkcalendar>"
)


@dataclass(frozen=True)
class Radicale:
    """A running server; every user has the same password and sees only what is theirs."""

    url: str

    def make_calendar(self, user: str, name: str) -> str:
        """Its address."""
        url = f"{self.url}{user}/{name.lower()}/"
        made = httpx2.request("MKCALENDAR", url, content=_MKCALENDAR.format(name=name), auth=(user, PASSWORD), timeout=START_TIMEOUT_S)
        assert made.status_code == 201, made.text
        return url


@cache
def has_radicale() -> bool:
    try:
        asked = subprocess.run([PYTHON, "-c", "import radicale"], capture_output=True, check=False, timeout=START_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0


@contextmanager
def radicale_in(folder: Path, users: tuple[str, ...]) -> Generator[Radicale]:
    """A server that keeps its calendars below the folder."""
    port = _free_port()
    (folder / "users").write_text("".join(f"{user}:{PASSWORD}\n" for user in users), encoding="utf-8")
    settings = {
        "server": {"hosts": f"127.0.0.1:{port}"},
        "auth": {"type": "htpasswd", "htpasswd_filename": str(folder / "users"), "htpasswd_encryption": "plain", "delay": "0"},
        "storage": {"filesystem_folder": str(folder / "collections")},
        "logging": {"level": "warning"},
    }
    text = "".join(f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items()) for section, keys in settings.items())
    (folder / "config").write_text(text, encoding="utf-8")
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen([PYTHON, "-m", "radicale", "--config", str(folder / "config")], stdout=log, stderr=log) as process,
    ):
        try:
            _wait_for(port, process, folder / "log")
            yield Radicale(f"http://127.0.0.1:{port}/")
        finally:
            process.terminate()
            process.wait(timeout=START_TIMEOUT_S)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    give_up_at = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < give_up_at:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"Radicale does not start: {log.read_text(encoding='utf-8', errors='replace')[-2000:]}")
