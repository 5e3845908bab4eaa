"""Start a model's real process: choose its port, have its runtime write the command line, and spawn it."""

from __future__ import annotations

import importlib.metadata
import os
import secrets
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from config.schema import EngineSettings
from inference.catalog import ModelSpec
from inference.errors import SetupRefused
from inference.files.disk_looks import look_at
from inference.files.files_there import missing_file
from inference.files.model_files import files_of
from inference.files.page_cache import total_bytes
from inference.processes.binaries import ProgramMissing, find_llama_server
from inference.processes.child import Child, Progress
from inference.processes.program_help import HELP_BOUND_S, asked
from inference.processes.spare_leash import SpareLeash
from inference.runtimes.llama_server import Program, Surroundings, build_launch, prompt_cache_mib
from inference.warmth.records import identity_of

KEY_BYTES = 32
"""Of the key that each start of a server gets: nobody guesses it."""
PROGRAM_BOUND_S = HELP_BOUND_S + 5
"""At least so long a program is waited for: one that is slow to print its help is no disk that hangs."""


class Launcher:
    """Starts processes for one engine; passed to the supervisor as its `Spawn`."""

    def __init__(self, settings: EngineSettings, log_dir: Path, slots_dir: Path | None = None) -> None:
        """`slots_dir`: where servers may keep the contents of their slots; absent: nowhere."""
        self._settings = settings
        self._log_dir = log_dir
        self._slots_dir = slots_dir
        self._leash = SpareLeash()

    def adopt(self, settings: EngineSettings) -> None:
        """Start by other settings from now on."""
        self._settings = settings

    async def __call__(self, spec: ModelSpec, on_progress: Callable[[Progress], None]) -> Child:
        """Start `spec`'s process and return at once.

        Raises:
            ChildFailed: the operating system refused.
            SetupRefused: there is no file or no program to run it with.
            TimeoutError: the disk does not say whether there is; it may later.
        """
        settings = self._settings
        bound_s = settings.load.stall_s
        try:
            # Looked at when it was asked for too, but that may be long ago.
            missing = await look_at(missing_file, spec, bound_s)
            if missing is not None:
                raise SetupRefused(missing)
            bound_s = max(bound_s, PROGRAM_BOUND_S)
            program = await look_at(_find_program, settings.runtimes.llama_server.binary, bound_s)
        except TimeoutError as error:
            raise TimeoutError(_silence(spec, settings, bound_s)) from error
        launch = build_launch(spec, _free_port(), self._surroundings(spec, program), secrets.token_hex(KEY_BYTES))

        def tell(progress: Progress) -> None:
            on_progress(progress)
            # Beside the load, which is not delayed by it: once the model is ready, somebody waits for the processor.
            if progress.phase != "starting":
                self._leash.prepare_soon()

        log_path = self._log_dir / f"model-{spec.name}.log"
        return await Child.spawn(launch, log_path=log_path, on_progress=tell, start=self._leash.start)

    def close(self) -> None:
        """Nothing is started any more."""
        self._leash.close()

    def identity(self, spec: ModelSpec) -> str:
        """One text for all that a slot's content depends on: the model's files, its flags and the program's build. Reads the disk.

        Raises:
            SetupRefused: there is no program.
            OSError: a file is not there.
        """
        surroundings = self._surroundings(spec, _find_program(self._settings.runtimes.llama_server.binary))
        # What else it keeps in main memory is no part of a slot.
        surroundings = replace(surroundings, prompt_cache_mib=None)
        files = map(_file_facts, files_of(spec))
        return identity_of([build_launch(spec, 0, surroundings).argv, *files, *_build_facts(surroundings.program)])

    def _surroundings(self, spec: ModelSpec, program: Program) -> Surroundings:
        residency = self._settings.residency
        told_mib = residency.prompt_cache_mib
        return Surroundings(
            program=program,
            environ=os.environ,
            stall_timeout_s=self._settings.load.stall_s,
            stop_timeout_s=self._settings.stop.stop_s,
            slots_dir=self._slots_dir if spec.warm else None,
            prompt_cache_mib=prompt_cache_mib(total_bytes(), residency.max_llm) if told_mib is None else told_mib,
        )


def _find_program(binary: str | None) -> Program:
    try:
        return asked(find_llama_server(binary))
    except ProgramMissing as error:
        raise SetupRefused(f"{error}.") from error


def _silence(spec: ModelSpec, settings: EngineSettings, bound_s: float) -> str:
    binary = settings.runtimes.llama_server.binary
    setting = " (load.stall_s in engine.toml)" if bound_s == settings.load.stall_s else ""
    program = f" or {binary} (runtimes.llama-server.binary)" if binary else ""
    return (
        f"a disk did not say within {bound_s:g} s what is there{setting}; see that the one with {spec.path} "
        f"(models.{spec.name}.path){program} is connected and answers"
    )


def _build_facts(program: Program) -> Iterator[object]:
    if program.is_embedded:
        yield importlib.metadata.version("xllamacpp")
    else:
        yield _file_facts(Path(program.command[0]))


def _file_facts(path: Path) -> tuple[object, ...]:
    found = path.stat()
    return str(path), found.st_size, found.st_mtime_ns, found.st_ino


def _free_port() -> int:
    """A port that is free now. Somebody may take it before the child does; then the load fails with that word and is tried again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
