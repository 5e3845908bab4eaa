"""Which lines of a child's output belong to the stack that llama.cpp prints after the reason of an abort.

It has gdb print it, else lldb, else the C library. A line that is not known costs only one of the last lines that are kept.
"""

from __future__ import annotations

import re
from typing import Final

_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*[mK]")
_TRACE: Final = re.compile(
    r"""
      \#\d+\s+(0x[0-9a-f]+\ in\ |\S[^(]*\()              # gdb: a frame
    | \[(New\ LWP|New\ Thread|Inferior|Thread\ debugging)[ ]
    | 0x[0-9a-f]+\ in\ \S+\ \(.*\)\ (from|at)[ ]          # where it stopped the process
    | (warning:\ )?\d+\t                                 # a line of source, or that it is not there
    | This\ GDB\ supports | Using\ host\ libthread_db[ ]
    | .*(debuginfod|\.gnu_debugaltlink)
    | \(lldb\)\ | \*\ thread\ \#\d | \ {1,8}(\*\ )?frame\ \#\d+:  # lldb
    | Process\ \d+\ (stopped|detached) | (Executable\ module|Architecture)\ set\ to
    | (->)?\s+0x[0-9a-f]+\ <\+\d+>:
    | [^()\[\]]*\([^()]*\+0x[0-9a-f]+\)\ ?\[0x[0-9a-f]+\]$ # glibc
    | \d+\ +\S+\ +0x[0-9a-f]{8,}[ ]                      # macOS
    | \d+:\ 0x[0-9a-f]{6,}(\ |$)                           # Android
    """,
    re.VERBOSE | re.IGNORECASE,
)


def is_trace(line: str) -> bool:
    """Whether a line tells where a process was when it ended, and not why."""
    return _TRACE.match(_COLOURS.sub("", line)) is not None
