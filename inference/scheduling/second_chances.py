"""When a model that was given up is tried again without a person's word: after a while, or as soon as the memory that it lacked is back.

What was in its way is often something that passes without any notice, such as a game that nobody announced or a disk that slept, and who
asks may be a program, or somebody whose key allows no load. A try may send a healthy model away, so each in vain makes the next one later.
Only what cannot start as it is set up waits for a person.
"""

from __future__ import annotations

from inference.scheduling.draft import Draft
from inference.scheduling.residency import Memory, lent_of
from inference.scheduling.restart import pause_s
from inference.scheduling.schedule import Model


def let_back_at(model: Model) -> float | None:
    """When a model that is given up may be tried once more; None: it is not given up, or a person has to ask."""
    if model.given_up is None or not model.failures or model.failures[-1].is_final:
        return None
    return model.failures[-1].at + pause_s(model.failures)


def let_back(draft: Draft) -> None:
    """Let those back whose time is over, each for one more try."""
    for model in list(draft.models.values()):
        at = let_back_at(model)
        if at is not None and draft.now >= at:
            draft.change(model.name, given_up=None, is_on_trial=True)


def let_back_for_memory(draft: Draft, before: Memory, *, is_game_over: bool) -> None:
    """Let those back at once for which memory did not suffice: all of them after a game, else those whose cards were lent `before`."""
    for model in list(draft.models.values()):
        spec = draft.policy.specs.get(model.name)
        if spec is None or model.given_up is None or not model.failures or not model.failures[-1].is_short:
            continue
        if is_game_over or (lent_of(spec, before) and not lent_of(spec, draft.policy.memory)):
            draft.change(model.name, given_up=None, failures=(), not_before=0.0)


def given_up_text(model: Model) -> str:
    """What is told to those whose request is refused because their model is given up."""
    told = f"{model.name} is given up: {model.given_up}. Last failure: {model.error} Ask for it with /engine/load to try again"
    return f"{told}." if let_back_at(model) is None else f"{told} at once; {_while(model)} after that failure a request tries once more."


def obstacle_text(model: Model) -> str:
    """The same in few words, for lists of models."""
    told = f"it is given up, because {model.given_up}; a switch or load tries again"
    return f"{told}." if let_back_at(model) is None else f"{told} at once, a request {_while(model)} after the last failure."


def _while(model: Model) -> str:
    return f"{pause_s(model.failures) / 60:.0f} minutes"
