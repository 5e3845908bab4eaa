"""Put a process into a Job Object that Windows closes, killing all in it, when this process ends (Windows only).

The system closes our handles however we end, so a killed engine leaves no child behind: what the leash does elsewhere.
The handle is kept for the life of the process on purpose.
"""

from __future__ import annotations

import sys

if sys.platform == "win32":  # pragma: no cover - exercised on Windows only
    import ctypes
    from ctypes import wintypes

    _KILL_ON_JOB_CLOSE = 0x2000
    _EXTENDED_LIMIT_INFORMATION = 9
    _PROCESS_SET_QUOTA_AND_TERMINATE = 0x0101

    class _BasicLimits(ctypes.Structure):
        _fields_ = [
            ("PerProcessUserTimeLimit", ctypes.c_int64),
            ("PerJobUserTimeLimit", ctypes.c_int64),
            ("LimitFlags", wintypes.DWORD),
            ("MinimumWorkingSetSize", ctypes.c_size_t),
            ("MaximumWorkingSetSize", ctypes.c_size_t),
            ("ActiveProcessLimit", wintypes.DWORD),
            ("Affinity", ctypes.c_size_t),
            ("PriorityClass", wintypes.DWORD),
            ("SchedulingClass", wintypes.DWORD),
        ]

    class _ExtendedLimits(ctypes.Structure):
        _fields_ = [
            ("BasicLimitInformation", _BasicLimits),
            ("IoInfo", ctypes.c_uint64 * 6),
            ("ProcessMemoryLimit", ctypes.c_size_t),
            ("JobMemoryLimit", ctypes.c_size_t),
            ("PeakProcessMemoryUsed", ctypes.c_size_t),
            ("PeakJobMemoryUsed", ctypes.c_size_t),
        ]

    def _kernel32() -> ctypes.WinDLL:
        library = ctypes.WinDLL("kernel32", use_last_error=True)
        library.CreateJobObjectW.restype = wintypes.HANDLE
        library.OpenProcess.restype = wintypes.HANDLE
        library.AssignProcessToJobObject.argtypes = (wintypes.HANDLE, wintypes.HANDLE)
        library.SetInformationJobObject.argtypes = (wintypes.HANDLE, ctypes.c_int, wintypes.LPVOID, wintypes.DWORD)
        library.CloseHandle.argtypes = (wintypes.HANDLE,)
        return library

    def _create_job(kernel32: ctypes.WinDLL) -> int:
        job = kernel32.CreateJobObjectW(None, None)
        limits = _ExtendedLimits()
        limits.BasicLimitInformation.LimitFlags = _KILL_ON_JOB_CLOSE
        size = ctypes.sizeof(limits)
        if not job or not kernel32.SetInformationJobObject(job, _EXTENDED_LIMIT_INFORMATION, ctypes.byref(limits), size):
            raise ctypes.WinError(ctypes.get_last_error())
        return int(job)

    _jobs: list[int] = []

    def adopt(pid: int) -> None:
        """Tie the process `pid`, and what it starts from now on, to the life of this process.

        Raises:
            OSError: Windows refused.
        """
        kernel32 = _kernel32()
        if not _jobs:
            _jobs.append(_create_job(kernel32))
        process = kernel32.OpenProcess(_PROCESS_SET_QUOTA_AND_TERMINATE, False, pid)
        if not process or not kernel32.AssignProcessToJobObject(_jobs[0], process):
            raise ctypes.WinError(ctypes.get_last_error())
        kernel32.CloseHandle(process)
else:

    def adopt(pid: int) -> None:
        """Refuse: there are no Job Objects here.

        Raises:
            OSError: always.
        """
        raise OSError(f"process {pid} cannot join a Job Object: they exist on Windows only")
