"""The engine's published contract: headers, wire types, error envelope and event frames. It needs pydantic and nothing else.

Whoever speaks to the engine imports this package and no other part of it.
"""

from inference.contract.failures import ErrorCode, ErrorDetail, ErrorEnvelope
from inference.contract.headers import (
    CONTRACT,
    CONTRACT_VERSION,
    EVENTS,
    EVENTS_LOADING,
    FORCE,
    MODEL,
    REQUEST_ID,
    SESSION,
    SHOULD_RETRY,
    WAIT,
)
from inference.contract.sse import KEEP_ALIVE, LOADING_EVENT, SWAP_EVENT, error_frame, event_frame
from inference.contract.status import (
    EngineStatus,
    Health,
    LoadRequest,
    ModelState,
    ModelStatus,
    QueuedRequest,
    ServedKind,
    ServedMeta,
    ServedModel,
    ServedModels,
    SwapPhase,
    SwapProgress,
    SwitchAnswer,
    SwitchRequest,
    UnloadAnswer,
    UnloadRequest,
)

__all__ = [
    "CONTRACT",
    "CONTRACT_VERSION",
    "EVENTS",
    "EVENTS_LOADING",
    "FORCE",
    "KEEP_ALIVE",
    "LOADING_EVENT",
    "MODEL",
    "REQUEST_ID",
    "SESSION",
    "SHOULD_RETRY",
    "SWAP_EVENT",
    "WAIT",
    "EngineStatus",
    "ErrorCode",
    "ErrorDetail",
    "ErrorEnvelope",
    "Health",
    "LoadRequest",
    "ModelState",
    "ModelStatus",
    "QueuedRequest",
    "ServedKind",
    "ServedMeta",
    "ServedModel",
    "ServedModels",
    "SwapPhase",
    "SwapProgress",
    "SwitchAnswer",
    "SwitchRequest",
    "UnloadAnswer",
    "UnloadRequest",
    "error_frame",
    "event_frame",
]
