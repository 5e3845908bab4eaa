"""Model servers started and stopped by their own means: what a swap costs when nothing stands in between."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from inference.catalog import ModelSpec
from inference.processes.binaries import find_llama_server
from inference.processes.program_help import asked
from inference.runtimes.llama_server import Surroundings, build_launch
from inference.runtimes.state_lines import EXIT_COMMAND, parse_state
from tests.fakes.processes import free_port

EXIT_BOUND_S = 10.0


class ServerByHand:
    """One server; ready when it is made."""

    def __init__(self, model: Path, flags: Sequence[str] = (), binary: Path | None = None) -> None:
        """`binary`: another program than the one that this machine has."""
        spec = ModelSpec("one", "llama-server", model, context=1024, slots=2, admitted=2, threads=1, extra_args=tuple(flags))
        program = asked(find_llama_server(None if binary is None else str(binary)))
        around = Surroundings(program, os.environ, stall_timeout_s=60, stop_timeout_s=5)
        launch = build_launch(spec, free_port(), around)
        self.url = f"http://127.0.0.1:{launch.port}"
        # The log goes to a file, as in the engine: an unread pipe would fill.
        with (model.parent / "by-hand.log").open("ab") as log:
            self._process = subprocess.Popen(launch.argv, env=dict(launch.env), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        assert self._process.stdout is not None
        for line in self._process.stdout:
            state = parse_state(line.decode())
            if state is not None and state.state == "ready":
                break

    def stop(self) -> None:
        """By its exit command."""
        self._process.communicate(EXIT_COMMAND.encode(), timeout=EXIT_BOUND_S)
