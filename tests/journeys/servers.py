"""The llama.cpp servers that a journey runs on: the embedded one, and a `llama-server` program where there is one.

`make llama-server` builds the program; `VARIET_LLAMA_SERVER` names it, else it is looked for on PATH.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from inference.runtimes.llama_server import PROGRAM

BINARY_VARIABLE = "VARIET_LLAMA_SERVER"


@dataclass(frozen=True)
class ServerKind:
    """One kind of server, and how an engine is told to use it."""

    name: str
    binary: str | None = None
    """The program's path; None is the embedded server."""

    @property
    def settings(self) -> str:
        """The table of an engine.toml that names it."""
        return "" if self.binary is None else f'\n[runtimes.llama-server]\nbinary = "{self.binary}"\n'

    @property
    def environment(self) -> dict[str, str]:
        """For the engine's process. The embedded server is chosen by there being no other on PATH."""
        folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
        return {"PATH": os.pathsep.join(folder for folder in folders if shutil.which(PROGRAM, path=folder) is None)}


EMBEDDED = ServerKind("embedded")


def _found() -> tuple[ServerKind, ...]:
    named = os.environ.get(BINARY_VARIABLE)
    program = shutil.which(named or PROGRAM)
    if named and program is None:
        raise FileNotFoundError(f"{BINARY_VARIABLE} = {named}: there is no such program")
    return (EMBEDDED,) if program is None else (EMBEDDED, ServerKind(PROGRAM, str(Path(program).absolute())))


SERVERS = _found()
"""Looked up at the start: the tests themselves see no variable of ours."""
