"""How much main memory a process and its children take, where the system tells (Linux); None elsewhere."""

from __future__ import annotations

from pathlib import Path

_PROC = Path("/proc")
_KIB_PER_MIB = 1024
MOST_PROCESSES = 64
"""Of one model: a runtime has one or two, and reading on for ever would be an attack on ourselves."""


def resident_mib(pid: int) -> float | None:
    """Resident memory of `pid` alone, in MiB."""
    try:
        status = (_PROC / str(pid) / "status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith("VmRSS:"):
            return round(int(line.split()[1]) / _KIB_PER_MIB, 1)
    return None


def family_mib(pid: int) -> float | None:
    """Resident memory of `pid` and all that it started, in MiB; pages that they share count for each."""
    found = [each for each in map(resident_mib, family(pid)) if each is not None]
    return round(sum(found), 1) if found else None


def family(pid: int) -> list[int]:
    """`pid` and all that it started, as far as the system tells."""
    found = [pid]
    for each in found:  # grows while it is read
        try:
            children = (_PROC / str(each) / "task" / str(each) / "children").read_text(encoding="ascii").split()
        except OSError:
            continue
        found += [int(child) for child in children][: MOST_PROCESSES - len(found)]
    return found
