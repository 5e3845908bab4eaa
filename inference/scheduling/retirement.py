"""How new settings take over from old ones while requests run: what stays, what drains and goes, who is told.

Pure. A process keeps the spec that it was started with until it has gone, and what is known of its memory, because memory is planned with
what really runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from inference.catalog import ModelSpec
from inference.scheduling.draft import Draft
from inference.scheduling.schedule import Model, Reconfigured


def take_over(draft: Draft, event: Reconfigured) -> None:
    """Let a new policy hold from now on.

    1. A model in both and not replaced is left alone, leases and failures and all. One that an earlier reload had retired, and that has its
       old spec again, is left alone from now on, whatever the settings said in between.
    2. A replaced model forgets its failures; a process that it has drains, one that is still loading is stopped.
    3. A model that is gone has its waiters refused; a process that it has drains, one that is still loading is stopped.
    4. A new model begins unloaded.
    """
    before, after = draft.policy.specs, event.policy.specs
    draft.held = draft.running_memory
    memory = replace(event.policy.memory, lent_mib=draft.policy.memory.lent_mib)
    draft.policy = replace(event.policy, memory=memory)
    for model in list(draft.models.values()):
        name = model.name
        if name not in after:  # 3.
            draft.refuse_all(name, "model_not_found", removed_text(name), is_permanent=True)
            draft.change(name, is_missed=False)
            _send_off(draft, model, before)
        elif draft.retired.get(name) == after[name] and model.phase == "ready":  # 1.
            del draft.retired[name]
        elif name in event.replaced:  # 2.
            draft.change(name, failures=(), not_before=0.0, given_up=None, error=None)
            _send_off(draft, model, before)
    for name in after:  # 4.
        draft.models.setdefault(name, Model(name))
    draft.models = {name: draft.models[name] for name in (*after, *(name for name in draft.models if name not in after))}


def retire(draft: Draft) -> None:
    """Send those away that have become idle. Nothing ends a running request here: a reload drops no stream."""
    for name in list(draft.retired):
        if draft.models[name].phase == "ready" and not draft.models[name].leases:
            draft.vacate(name, "the settings have changed")


def bury(draft: Draft, name: str) -> None:
    """A process has gone: its next start takes the new spec, and a model that the settings no longer have is forgotten."""
    draft.retired.pop(name, None)
    if name not in draft.policy.specs:
        del draft.models[name]


def removed_text(model: str) -> str:
    """What is said of a model that the settings no longer have."""
    return f"{model} is no longer served: a reload of the settings removed it."


def _send_off(draft: Draft, model: Model, before: Mapping[str, ModelSpec]) -> None:
    if model.phase == "unloaded":
        bury(draft, model.name)
        return
    if model.name not in draft.retired:
        draft.retired[model.name] = before[model.name]
    if model.phase in ("starting", "restoring"):
        draft.cut(model.name, "a reload of the settings", by=None)
