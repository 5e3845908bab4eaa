"""How much main memory a process and its children take, and how much they read, where the system tells (Linux); None elsewhere."""

from __future__ import annotations

from pathlib import Path

_PROC = Path("/proc")
_KIB_PER_MIB = 1024
_READ_FROM_DISKS = "read_bytes:"
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


def taken_in_mib(pid: int) -> tuple[float, float] | None:
    """What `pid` and all that it started hold resident, and what they have read from disks since they began, both in MiB.

    The first grows by pages that were in the page cache too, the second where others are dropped for the new ones.
    """
    resident = family_mib(pid)
    return None if resident is None else (resident, sum(map(_read_mib, family(pid))))


def _read_mib(pid: int) -> float:
    try:
        told = (_PROC / str(pid) / "io").read_text(encoding="ascii")
    except OSError:
        return 0.0  # Not every kernel counts it.
    return sum(int(line.split()[1]) for line in told.splitlines() if line.startswith(_READ_FROM_DISKS)) / _KIB_PER_MIB**2


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
