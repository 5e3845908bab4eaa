"""Who was asked to go: until when what it answers may finish, what calls that off again, and whether it has gone. Pure."""

from __future__ import annotations

from inference.scheduling.draft import Draft
from inference.scheduling.reasons import CARD_WANTED, MEMORY_WANTED, UNLOADED
from inference.scheduling.residency import lent_of
from inference.scheduling.schedule import Model, State


def ask_to_go(draft: Draft, name: str, drain_s: float, why: str) -> None:
    """Have a model go: no new grants, and its requests are ended when the drain is over.

    What a person wants gone goes, whatever else wants its place as well: that is no reason to keep it longer, or to call it off.
    """
    model = draft.models.get(name)
    if model is None:
        return  # A reload has removed it meanwhile.
    if model.phase in ("starting", "restoring"):
        draft.cut(name, why, by=None)
    elif model.phase == "ready":
        unload_by = draft.now + drain_s
        if model.unload_by is not None and not _may_be_called_off(model) and why in (MEMORY_WANTED, CARD_WANTED):
            draft.change(name, unload_by=min(model.unload_by, unload_by))
        else:
            draft.change(name, unload_by=unload_by, gone=why)
    draft.change(name, is_missed=False)


def call_off(draft: Draft) -> None:
    """Let those stay that were to go for a game that is over, or from a card that has come back."""
    for model in list(draft.models.values()):
        if model.phase != "ready" or model.unload_by is None or not _may_be_called_off(model):
            continue
        is_lent = bool(lent_of(draft.running_specs[model.name], draft.running_memory))
        if not (draft.is_gaming if model.gone == MEMORY_WANTED else is_lent):
            draft.change(model.name, unload_by=None, gone=None)


def unload(draft: Draft) -> None:
    """Stop those that were asked to go and are idle; at the drain's end their requests are ended."""
    for model in list(draft.models.values()):
        if model.unload_by is None or model.phase != "ready":
            continue
        if not model.leases:
            draft.vacate(model.name, model.gone or UNLOADED)
        elif draft.now >= model.unload_by:
            draft.oust(model.name, model.gone or UNLOADED, by=None)


def is_there(state: State, name: str, generation: int) -> bool:
    """Whether that start of a model still has a process."""
    model = state.models.get(name)
    return model is not None and model.generation == generation and model.phase != "unloaded"


def is_leaving(state: State, name: str, generation: int) -> bool:
    """Whether that start of a model, which was asked to go, still has a process and is to have none: nobody has called it off."""
    model = state.models.get(name)
    return model is not None and is_there(state, name, generation) and not (model.phase == "ready" and model.unload_by is None)


def _may_be_called_off(model: Model) -> bool:
    return model.gone in (MEMORY_WANTED, CARD_WANTED)
