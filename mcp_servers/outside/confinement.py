"""Runs a reader of strangers' files in a child process of its own, with bounds on time, memory, processor and output.

The child gets the file on its standard input and nothing else: an empty environment, no terminal, no other code than ours. What
it does to itself before it opens the file (no network, no file written) is in `mcp_servers.outside.textof`. Everything here works on each
platform; where the system cannot bound memory, the time and the output still are.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mcp_servers.errors import Refusal
from mcp_servers.protocol import progress

TIME_S = 20.0
"""A person waits for it; a long PDF takes a few seconds."""
MAX_OUTPUT_BYTES = 2 * 1024 * 1024
CANNOT_START = 3
"""How the child ends that does not find its own parts; whatever a file does to it ends otherwise."""
_PROGRAM = f"""
import sys
sys.path[:] = sys.argv.pop().split("\\n")
try:
    from mcp_servers.outside.textof import main
    main()
except ImportError:
    sys.exit({CANNOT_START})
"""


@dataclass(frozen=True)
class Bounds:
    """What the child may use."""

    time_s: float = TIME_S
    memory_mib: int = 768
    output_bytes: int = MAX_OUTPUT_BYTES


def text_of_file(content: bytes, kind: str, bounds: Bounds | None = None) -> str:
    """The text of a file.

    Args:
        content: the file.
        kind: `pdf`, `docx`, `ics`, `html`, `page` (a web page, below a line with its address) or `txt`.
        bounds: of the child; None for the usual ones.

    Raises:
        Refusal: it cannot be read within the bounds.
    """
    bounds = bounds or Bounds()
    # Told where our packages lie: isolated, it does not look where `pip install --user` puts them.
    places = "\n".join(place for place in sys.path if Path(place).is_absolute())
    limits = (str(bounds.memory_mib), str(int(bounds.time_s) + 1), str(bounds.output_bytes))
    command = [sys.executable, "-I", "-c", _PROGRAM, kind, *limits, places]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={}, start_new_session=sys.platform != "win32"
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        late = threading.Timer(bounds.time_s, child.kill)
        feeder = threading.Thread(target=_feed, args=(child, content), daemon=True)
        late.start()
        feeder.start()
        # It says at most what it may, and nothing after that: what goes on saying is ended, and not read to its end.
        with progress.ends(child.kill):
            said = child.stdout.read(bounds.output_bytes)
        is_in_time = late.is_alive()
        is_whole = len(said) < bounds.output_bytes
        if not is_whole:
            child.kill()
        child.wait()
        late.cancel()
    progress.check()
    if not is_in_time:
        raise Refusal("The file takes too long to read. Open it yourself.")
    if child.returncode == CANNOT_START:
        raise Refusal("Files cannot be read here: a part of Variet's installation is missing. Open the file yourself.")
    if child.returncode != 0 and is_whole:
        raise Refusal("The file cannot be read: it is damaged, locked with a password, or too big. Open it yourself.")
    return said.decode("utf-8", "replace")


def _feed(child: subprocess.Popen[bytes], content: bytes) -> None:
    # It may end before it has read everything.
    with suppress(OSError, ValueError):
        if child.stdin is not None:
            child.stdin.write(content)
            child.stdin.close()
