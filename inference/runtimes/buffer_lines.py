"""What a llama-server says that it has put where: the sum of its buffers on GPUs, read from its log. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Final

_BUFFER: Final = re.compile(r"(?P<device>[\w]+) +(?:model|KV|compute|RS|output) buffer size *= *(?P<mib>[0-9]{1,9}(?:\.[0-9]{1,6})?) MiB")
_BEGIN: Final = re.compile(r"\bloading model\b|load_model: loading")
_NOT_ON_A_GPU: Final = ("CPU", "BLAS", "Accelerate")


def gpu_mib(lines: Iterable[str]) -> int | None:
    """GPU memory of the last load in `lines`, in MiB; None where it says nothing of buffers. 0: all of it is in main memory."""
    total: float | None = None
    for line in lines:
        # Looked at with every load, while the first request waits for the same processor: nearly all lines are of requests.
        if "loading" in line and _BEGIN.search(line):
            total = None
        elif "buffer size" in line and (found := _BUFFER.search(line)):
            device = found["device"]
            is_host = device.startswith(_NOT_ON_A_GPU) or device.endswith("_Host")
            total = (total or 0.0) + (0.0 if is_host else float(found["mib"]))
    return None if total is None else math.ceil(total)
