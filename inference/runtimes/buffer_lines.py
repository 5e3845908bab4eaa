"""What a llama-server says that it has put where: the sum of its buffers on GPUs, read from its log. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Final

_BUFFER: Final = re.compile(
    r"(?P<device>[\w]+) +(?:model|KV|compute|RS|output|LoRA) buffer size *= *(?P<mib>[0-9]{1,9}(?:\.[0-9]{1,6})?) MiB"
)
_LOAD: Final = ": loading model '"
"""The server's own first line of a load."""
_SECOND: Final = ": loading draft model '"
"""One more model beside the first."""
_WEIGHTS: Final = "loading model tensors"
"""Of each of them, and of each time that a runtime only tries out whether it would fit."""
_NOT_ON_A_GPU: Final = ("CPU", "BLAS", "Accelerate")


def gpu_mib(lines: Iterable[str]) -> int | None:
    """GPU memory of the last load in `lines`, in MiB; None where it says nothing of buffers. 0: all of it is in main memory."""
    done: float | None = None
    now: float | None = None
    for line in lines:
        # Looked at with every load, while the first request waits for the same processor: nearly all lines are of requests.
        if "loading" in line:
            if _LOAD in line:
                done = now = None
            elif _SECOND in line:
                done, now = _sum(done, now), None
            elif _WEIGHTS in line:
                now = None
        elif "buffer size" in line and (found := _BUFFER.search(line)):
            device = found["device"]
            is_host = device.startswith(_NOT_ON_A_GPU) or device.endswith("_Host")
            now = (now or 0.0) + (0.0 if is_host else float(found["mib"]))
    total = _sum(done, now)
    return None if total is None else math.ceil(total)


def _sum(one: float | None, other: float | None) -> float | None:
    return other if one is None else one + (other or 0.0)
