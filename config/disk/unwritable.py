"""What keeps anything from being written to a disk, in the few words that a person needs; every other failure is none of these."""

from __future__ import annotations

import errno
from typing import NamedTuple


class Unwritable(NamedTuple):
    """Why, and what helps."""

    why: str
    """Goes on after "the disk"."""
    remedy: str
    """What the person has to do."""


FULL = Unwritable("is full", "make room")
READ_ONLY = Unwritable("only reads", "make it writable")
FULL_OR_DAMAGED = Unwritable("is full or damaged", "make room, or look after it")
_SYSTEM = {errno.ENOSPC: FULL, errno.EDQUOT: FULL, errno.EROFS: READ_ONLY}
_SQLITE = {13: FULL, 8: READ_ONLY, 778: FULL_OR_DAMAGED, 4874: FULL_OR_DAMAGED}
"""By SQLite's codes: FULL, READONLY, and IOERR_WRITE and IOERR_SHMSIZE, which is how it tells of a quota and of a log that cannot grow."""
_PRIMARY = 0xFF
"""Of a code of SQLite: what is common to its special cases."""


def why_unwritable(error: BaseException) -> Unwritable | None:
    """What an error says of the disk; None for one that says something else."""
    # By its attribute: whoever uses no database need not import one.
    code = getattr(error, "sqlite_errorcode", None)
    if isinstance(code, int):
        return _SQLITE.get(code) or _SQLITE.get(code & _PRIMARY)
    return _SYSTEM.get(error.errno or 0) if isinstance(error, OSError) else None
