"""What is needed to start one child process: the value that a runtime builds and `inference.child` runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Launch:
    """All that is needed to start one child."""

    argv: tuple[str, ...]
    """The command line; `argv[0]` is a path or a name on PATH."""
    env: Mapping[str, str]
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
    program: str = ""
    """The program to name where it fails; empty: one of ours, which nobody can replace."""
