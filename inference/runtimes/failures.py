"""Why a child process died, read from its exit code and its last lines.

The strings are those of llama.cpp and the GPU libraries beneath it; one that is not known costs only the better word.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

Reason = Literal[
    "exited", "stalled", "stopped", "out_of_memory", "port_in_use", "bad_projector", "bad_draft", "bad_model", "not_started", "unkillable"
]

COMMAND_NOT_FOUND: Final = 127
COMMAND_NOT_RUNNABLE: Final = 126

_OUT_OF_MEMORY: Final = (
    "out of memory",
    "out_of_memory",
    "cudamalloc failed",
    "failed to allocate",
    "erroroutofdevicememory",
    "vk_error_out_of_device_memory",
    "insufficient memory",
    "std::bad_alloc",
)
_PORT_IN_USE: Final = ("couldn't bind http server socket", "address already in use")
_BAD_PROJECTOR: Final = ("failed to load multimodal model",)
_BAD_DRAFT: Final = ("failed to load draft model",)
_BAD_MODEL: Final = ("llama_model_load_from_file_impl: failed to load model", "error loading model")
"""Nothing broader: "failed to load model" is also said of a projector, and "exiting due to model loading error" comes after whatever kept a
server from starting, a wrong setting too. Who is told that a good file is damaged fetches gigabytes again for nothing."""


def classify(exit_code: int, last_lines: Sequence[str]) -> Reason:
    """Name the reason of a death that nobody asked for.

    1. The launcher could not find or run the command: `not_started`.
    2. The lines speak of memory: `out_of_memory`; before 4 and 5, which such a load says too.
    3. The port was taken: `port_in_use`.
    4. A file beside the model's own could not be loaded: `bad_projector`, `bad_draft`; before 5, which a draft says too.
    5. The model could not be loaded: `bad_model`.
    6. Anything else: `exited`.
    """
    text = "\n".join(last_lines).lower()
    # 1
    if exit_code in (COMMAND_NOT_FOUND, COMMAND_NOT_RUNNABLE) and "leash: cannot run" in text:
        return "not_started"
    signs_of: tuple[tuple[Reason, tuple[str, ...]], ...] = (
        ("out_of_memory", _OUT_OF_MEMORY),
        ("port_in_use", _PORT_IN_USE),
        ("bad_projector", _BAD_PROJECTOR),
        ("bad_draft", _BAD_DRAFT),
        ("bad_model", _BAD_MODEL),
    )
    for reason, signs in signs_of:  # 2, 3, 4, 5
        if any(sign in text for sign in signs):
            return reason
    # 6
    return "exited"
