"""How the news of a child process moves its model round the circle of phases.

Pure, and strict about the past: news of an earlier start, or of a phase that is over, changes nothing.
"""

from __future__ import annotations

from inference.scheduling.draft import Draft
from inference.scheduling.restart import Failure, GiveUp, decide, recent
from inference.scheduling.retirement import bury
from inference.scheduling.schedule import (
    AwaitMemory,
    Exited,
    Loaded,
    LoadFailed,
    MemoryReturned,
    Phase,
    Restored,
    RestoreWarmth,
    Saved,
    Stop,
    Stopped,
)
from inference.scheduling.second_chances import given_up_text


def advance(draft: Draft, event: Saved | Stopped | MemoryReturned | Loaded | Restored) -> None:
    """Move a model one phase on, and ask for what comes next."""
    name, generation = event.model, event.generation
    model = draft.models.get(name)
    if model is None or generation != model.generation:
        return
    match event, model.phase:
        case Saved(), "saving":
            draft.move(name, "stopping", Stop(name, generation))
        case Stopped(), "stopping":
            draft.move(name, "returning", AwaitMemory(name, generation))
        case MemoryReturned(), "returning":
            draft.change(name, phase="unloaded")
            bury(draft, name)
        case Loaded(), "starting":
            draft.change(name, load_s=draft.now - model.since)
            draft.move(name, "restoring", RestoreWarmth(name, generation))
        case Restored(), "restoring":
            draft.change(name, phase="ready", ready_since=draft.now, error=None, is_missed=False, is_crowded=False, gone=None)
        case _:
            pass  # Past: the model has moved on, by a crash or a forced stop.


def fail(draft: Draft, event: LoadFailed | Exited) -> None:
    """Take a failed load, or a death, into account: when to try again, and whether those who wait still have a reason to."""
    model = draft.models.get(event.model)
    phases: tuple[Phase, ...] = ("starting",) if isinstance(event, LoadFailed) else ("restoring", "ready", "saving")
    if model is None or event.generation != model.generation or model.phase not in phases:
        return
    if model.name in draft.retired:
        draft.move(model.name, "returning", AwaitMemory(model.name, model.generation))
        draft.change(model.name, leases=frozenset[str](), due={})
        return
    is_short = isinstance(event, LoadFailed) and event.is_out_of_memory
    if is_short and not model.is_crowded and draft.crowd_of(model.name):
        # The reckoning was wrong: once more, with everybody gone who may go.
        draft.move(model.name, "returning", AwaitMemory(model.name, model.generation))
        draft.change(model.name, error=event.why, is_crowded=True)
        return
    was_ready = isinstance(event, Exited)
    is_final = isinstance(event, LoadFailed) and event.is_final
    failure = Failure(draft.now, was_ready=was_ready, is_final=is_final, is_short=is_short)
    failures = (*recent(model.failures, draft.now), failure)
    verdict = decide(failures, draft.now)
    given_up, delay_s = (verdict.why, 0.0) if isinstance(verdict, GiveUp) else (None, verdict.seconds)
    draft.move(model.name, "returning", AwaitMemory(model.name, model.generation))
    draft.change(
        model.name,
        leases=frozenset[str](),
        due={},
        is_crowded=False,
        gone=None,
        failures=failures,
        not_before=draft.now + delay_s,
        given_up=given_up,
        error=event.why,
        is_missed=was_ready and given_up is None and model.unload_by is None and model.phase != "saving",
    )
    if not was_ready or given_up is not None:
        code = "out_of_memory" if is_short else "model_failed"
        numbers = f" {draft.account_of(model.name)}".rstrip() if is_short else ""
        text = f"{model.name} could not be loaded: {event.why}{numbers}" if given_up is None else given_up_text(draft.models[model.name])
        draft.refuse_all(model.name, code, text, retry_after_s=delay_s, is_permanent=given_up is not None)
