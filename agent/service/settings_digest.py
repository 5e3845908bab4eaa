"""A short mark of the settings that a service runs with, by which a front-end sees that it would read others by now."""

from __future__ import annotations

import hashlib
import json

from config.schema import AgentSettings


def digest_of(settings: AgentSettings) -> str:
    """The mark: the same for the same values, wherever each was said and in whichever order keys were written."""
    canonical = json.dumps(settings.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
