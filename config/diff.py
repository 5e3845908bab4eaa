"""What changes when one `engine.toml` takes the place of another: which models stay, which are replaced, and what needs a restart.

Pure. The engine keeps running on it: a model that is kept keeps its process and its streams, whatever else the file says now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from config.schema import EngineSettings, ModelSettings
from config.vocabulary import Section

LIVE_FIELDS = frozenset({"kind", "concurrency", "queue_policy", "max_stream_s", "max_tools", "estimate_mib", "warm"})
"""What the engine itself decides by for each model; the other fields are its process's command line, which a running one keeps."""
RESTART_SECTIONS = ("server", "warmth", "activity", "mode")
"""What is built once, when the engine starts."""
RESTART_KEYS = frozenset({"load.hung_s"})
"""And single keys of other sections that are."""
LIVE_SECTIONS = ("queue", "stop", "load", "residency")
"""What is looked at anew for every request, start and stop."""
_Names = tuple[str, ...]


@dataclass(frozen=True)
class EngineDiff:
    """The difference between two settings of Machine A; every tuple is sorted."""

    kept: _Names = ()
    """Models whose process may stay."""
    changed: _Names = ()
    """Models that are started otherwise now: a running process is replaced once its streams have ended."""
    added: _Names = ()
    removed: _Names = ()
    names: _Names = ()
    """Dotted keys of tiers, virtual models and aliases that are new, gone or mean something else."""
    applied: _Names = ()
    """Dotted keys of what counts at once, for requests that come from now on."""
    needs_restart: _Names = ()
    """Dotted keys of what the engine cannot change while it runs."""

    @property
    def is_empty(self) -> bool:
        """Whether the two say the same."""
        return not (self.changed or self.added or self.removed or self.names or self.applied or self.needs_restart)


def diff_engines(old: EngineSettings, new: EngineSettings) -> EngineDiff:
    """Compare two settings.

    1. A model in both is kept when its process would be started the same way; a change of the runtimes' programs changes all of theirs.
    2. Names are compared one by one.
    3. The rest counts at once, or needs a restart.
    """
    # 1.
    in_both = sorted(old.models.keys() & new.models.keys())
    has_other_program = old.runtimes != new.runtimes
    changed = tuple(name for name in in_both if has_other_program or _is_started_otherwise(old.models[name], new.models[name]))
    # 2.
    names = [f"{section}.{name}" for section in ("tiers", "virtual", "aliases") for name in _changed_keys(old, new, section)]
    # 3.
    leaves = {key for section in (*RESTART_SECTIONS, *LIVE_SECTIONS) for key in _changed_leaves(old, new, section)}
    needs_restart = {key for key in leaves if key in RESTART_KEYS or key.partition(".")[0] in RESTART_SECTIONS}
    applied = [*(leaves - needs_restart)]
    applied += [f"models.{name}.{key}" for name in in_both for key in _changed_live_fields(old.models[name], new.models[name])]
    return EngineDiff(
        kept=tuple(name for name in in_both if name not in changed),
        changed=changed,
        added=tuple(sorted(new.models.keys() - old.models.keys())),
        removed=tuple(sorted(old.models.keys() - new.models.keys())),
        names=tuple(sorted(names)),
        applied=tuple(sorted(applied)),
        needs_restart=tuple(sorted(needs_restart)),
    )


def _is_started_otherwise(old: ModelSettings, new: ModelSettings) -> bool:
    return old.model_copy(update={name: getattr(new, name) for name in LIVE_FIELDS}) != new


def _changed_live_fields(old: ModelSettings, new: ModelSettings) -> Iterator[str]:
    yield from (name for name in LIVE_FIELDS if getattr(old, name) != getattr(new, name))


def _changed_keys(old: EngineSettings, new: EngineSettings, section: str) -> Iterator[str]:
    before: Mapping[str, Any] = getattr(old, section)
    after: Mapping[str, Any] = getattr(new, section)
    yield from (key for key in before.keys() | after.keys() if before.get(key) != after.get(key))


def _changed_leaves(old: EngineSettings, new: EngineSettings, section: str) -> Iterator[str]:
    before: Section = getattr(old, section)
    after: Section = getattr(new, section)
    yield from (f"{section}.{name}" for name in type(before).model_fields if getattr(before, name) != getattr(after, name))
