"""Find the program that runs models on this machine: the configured one, else the one on PATH, else the embedded one."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys

from config.vocabulary import RUNTIMES
from inference.runtimes.llama_server import PROGRAM, Program, embedded_program

_NO_RUNNER = "this version of Variet has no runner for `{}` models"
"""What a model is told whose runtime has a name but no file in `inference/runtimes` yet."""


class ProgramMissing(Exception):
    """No program to run models with; the message says what was looked for and what to do."""


def find_llama_server(configured: str | None) -> Program:
    """Decide what runs GGUF files.

    1. A binary that is configured must be there: it was asked for, so nothing else replaces it.
    2. Else `llama-server` on PATH.
    3. Else the embedded server, when its wheel is installed.

    Raises:
        ProgramMissing: none of these.
    """
    # 1
    if configured is not None:
        found = shutil.which(os.path.expanduser(configured))
        if found is None:
            raise ProgramMissing(f"runtimes.llama-server.binary = {configured!r}: there is no such program, or it may not be run")
        return Program(command=(found,), is_embedded=False)
    # 2
    on_path = shutil.which(PROGRAM)
    if on_path is not None:
        return Program(command=(on_path,), is_embedded=False)
    # 3
    if importlib.util.find_spec("xllamacpp") is None:
        raise ProgramMissing(f"there is no {PROGRAM} on PATH and the embedded server is not installed (pip install 'variet[embedded]')")
    return embedded_program(sys.executable)


def missing_runtimes(llama_server: str | None) -> dict[str, str]:
    """Which runtimes cannot be used on this machine, and why; `llama_server` is the configured program."""
    missing = {name: _NO_RUNNER.format(name) for name in RUNTIMES if name != PROGRAM}
    try:
        find_llama_server(llama_server)
    except ProgramMissing as error:
        missing[PROGRAM] = str(error)
    return missing
