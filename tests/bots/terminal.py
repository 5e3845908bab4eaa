"""A real terminal for tests: tmux with one window of a given size, keys in, screen out."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

SEE_BOUND_S = 30.0
"""A busy machine may take this long to start a service; what is waited for usually comes within one second."""
LOOK_S = 0.05

needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


class Terminal:
    """One window."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def type(self, text: str) -> None:
        """Type literally."""
        self._tmux("send-keys", "-t", "chat", "-l", text)

    def press(self, *keys: str) -> None:
        """Press keys by tmux's names: Enter, C-c, Up."""
        self._tmux("send-keys", "-t", "chat", *keys)

    def paste(self, text: str) -> None:
        """Paste as a terminal does, in brackets."""
        self._tmux("set-buffer", "--", text)
        self._tmux("paste-buffer", "-p", "-r", "-t", "chat")

    def resize(self, width: int, height: int = 24) -> None:
        """Make the window another size."""
        self._tmux("resize-window", "-t", "chat", "-x", str(width), "-y", str(height))

    def screen(self) -> str:
        """All that was written, with what scrolled away, wrapped lines joined."""
        return self._tmux("capture-pane", "-p", "-J", "-S", "-500", "-t", "chat")

    def see(self, text: str, *, times: int = 1) -> str:
        """Wait until a text is on the screen."""
        return self.see_all(text, times=times)

    def see_all(self, *texts: str, times: int = 1) -> str:
        """Wait until all texts are there, each that many times."""
        end = time.monotonic() + SEE_BOUND_S
        while True:
            shown = self.screen()
            if all(shown.count(text) >= times for text in texts):
                return shown
            if time.monotonic() > end:
                raise AssertionError(f"not seen: {texts} (times {times}) in:\n{shown}")
            time.sleep(LOOK_S)

    def see_end(self) -> str:
        """Wait until the program has ended; its exit code is the last thing on the screen."""
        return self.see("exit code ")

    def _tmux(self, *arguments: str) -> str:
        return subprocess.run(["tmux", "-S", str(self._socket), *arguments], check=True, capture_output=True, text=True).stdout


@contextmanager
def terminal(command: Sequence[str], environment: Mapping[str, str], *, width: int = 80, height: int = 24) -> Iterator[Terminal]:
    """Run a command in a terminal of its own."""
    # A short path: a socket's name has about a hundred characters at most.
    socket = Path(os.environ.get("TMPDIR", "/tmp")) / f"t{uuid.uuid4().hex[:8]}"
    # Not in the first row: what is erased from there on tmux keeps as history.
    line = f"echo; {shlex.join(command)}; echo exit code $?; cat"
    size = ["-x", str(width), "-y", str(height)]
    env = [part for name, value in environment.items() for part in ("-e", f"{name}={value}")]
    begin = ["tmux", "-S", str(socket), "-f", "/dev/null", "new-session", "-d", "-s", "chat", *size, *env, line]
    # The line, and what is typed at the program, is for this shell, whichever the tests are run from; and the window says how large it is.
    own = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
    subprocess.run(begin, check=True, env={**own, "SHELL": "/bin/sh"})
    try:
        yield Terminal(socket)
    finally:
        subprocess.run(["tmux", "-S", str(socket), "kill-server"], check=False, capture_output=True)
