"""A home's databases as they are opened and written: what cannot be used, or written, is told of with what to do, not by a traceback."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from agent.errors import AgentError, NotWritable
from config.disk.unwritable import why_unwritable

_ADVICE = "Put a copy of it back, or move it away, with the files beside it whose names begin alike, to begin without what it holds."


@contextmanager
def usable(path: Path) -> Generator[Path]:
    """For the block in which a database is opened.

    Raises:
        AgentError: it cannot be used.
    """
    try:
        yield path
    except sqlite3.OperationalError as error:
        # Locked, not ours to write, a full disk: it may be whole.
        raise AgentError(f"{path} cannot be used: {error}.") from error
    except sqlite3.DatabaseError as error:
        # The kinds below this one (a constraint, a wrong statement) are slips of ours: nobody is to give up a whole database for one.
        if type(error) is not sqlite3.DatabaseError:
            raise
        raise AgentError(f"{path} is damaged: {error}. {_ADVICE}") from error
    except OSError as error:
        # Another owner's, read-only, a folder: the system says so before SQLite is asked, also of the book that is opened beside one.
        raise AgentError(f"{error.filename or path} cannot be used: {error.strerror or error}.") from error


@contextmanager
def written() -> Generator[None]:
    """For a block that writes to one that is open.

    Raises:
        NotWritable: the disk takes nothing more.
    """
    try:
        yield
    except (sqlite3.OperationalError, OSError) as error:
        disk = why_unwritable(error)
        if disk is None:
            raise
        raise NotWritable(*disk) from error
