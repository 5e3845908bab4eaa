"""What a client is told of a swap: everything but whose wish it was, where its key does not see others' requests. Pure."""

from __future__ import annotations

from typing import TypeVar

from inference.contract import EngineStatus, ModelStatus, SwapProgress, SwapRecord
from inference.door.access import KeyInfo

_Told = TypeVar("_Told", ModelStatus, SwapProgress, SwapRecord)


def discreet(told: _Told, key: KeyInfo) -> _Told:
    """Without another client's name."""
    if told.reason is None or key.sees_only is None or told.reason.by == key.sees_only:
        return told
    return told.model_copy(update={"reason": told.reason.model_copy(update={"by": None})})


def discreet_status(status: EngineStatus, key: KeyInfo) -> EngineStatus:
    """All of it so; what stands in the settings is for keys without limits."""
    models = tuple(discreet(each, key) for each in status.models)
    told: dict[str, object] = {"models": models, "swap": None if status.swap is None else discreet(status.swap, key)}
    if key.sees_only is not None:
        told |= {"needs_restart": (), "overridden": ()}
    return status.model_copy(update=told)
