"""Start a model's real process: choose its port, have its runtime write the command line, and spawn it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

from config.schema import EngineSettings
from inference.binaries import ProgramMissing, find_llama_server
from inference.catalog import ModelSpec
from inference.child import Child, Progress
from inference.errors import SetupRefused
from inference.runtimes.llama_server import Surroundings, build_launch


class Launcher:
    """Starts processes for one engine; passed to the supervisor as its `Spawn`."""

    def __init__(self, settings: EngineSettings, log_dir: Path) -> None:
        self._settings = settings
        self._log_dir = log_dir

    async def __call__(self, spec: ModelSpec, on_progress: Callable[[Progress], None]) -> Child:
        """Start `spec`'s process and return at once.

        Raises:
            ChildFailed: the operating system refused.
            SetupRefused: there is no file or no program to run it with.
        """
        if not spec.path.is_file():
            raise SetupRefused(f"its file {spec.path} is not there (models.{spec.name}.path in engine.toml).")
        try:
            program = find_llama_server(self._settings.runtimes.llama_server.binary)
        except ProgramMissing as error:
            raise SetupRefused(f"{error}.") from error
        surroundings = Surroundings(
            program=program,
            environ=os.environ,
            stall_timeout_s=self._settings.load.stall_s,
            stop_timeout_s=self._settings.stop.stop_s,
        )
        launch = build_launch(spec, _free_port(), surroundings)
        return await Child.spawn(launch, log_path=self._log_dir / f"model-{spec.name}.log", on_progress=on_progress)


def _free_port() -> int:
    """A port that is free now. Somebody may take it before the child does; then the load fails with that word and is tried again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
