"""What is needed to start one child process: the value that a runtime builds and `inference.processes.child` runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

KEY_VARIABLE: Final = "LLAMA_API_KEY"
"""Where a server looks for the key that its requests must show, all but the one for its health. Its arguments would be everybody's to
read."""


@dataclass(frozen=True)
class Launch:
    """All that is needed to start one child."""

    argv: tuple[str, ...]
    """The command line; `argv[0]` is a path or a name on PATH."""
    env: Mapping[str, str] = field(repr=False)
    """The child's whole environment, not additions to ours."""
    port: int
    """Where it will listen on 127.0.0.1."""
    health_path: str
    """Answers 200 once the model is loaded."""
    speaks_state_lines: bool
    """Whether it may push its state on standard output and take the exit command on standard input."""
    stall_timeout_s: float
    """A load is given up after this much silence."""
    stop_timeout_s: float
    """How long each polite request to leave may take before the next, less polite one."""
    key: str = field(default="", repr=False)
    """What its requests must show; empty: nothing. Never to be written down."""
    program: str = ""
    """The program to name where it fails; empty: one of ours, which nobody can replace."""
