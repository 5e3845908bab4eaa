"""A short mark of the settings that a service runs with, by which a front-end sees that it would read others by now."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from config.schema import AgentSettings
from config.vocabulary import is_table

_CERTIFICATES = ("ca", "ca_file")
"""Keys that name a certificate, which is read once: another one in the same file is another setting."""


def digest_of(settings: AgentSettings) -> str:
    """The mark: the same for the same values and certificates, wherever each was said and in whichever order keys were written."""
    said = settings.model_dump(mode="json")
    canonical = json.dumps([said, sorted(_certificates(said))], sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _certificates(section: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each file that vouches for somebody, and what is in it."""
    for key, value in section.items():
        if is_table(value):
            yield from _certificates(value)
        elif key in _CERTIFICATES and isinstance(value, str):
            yield value, _content(Path(value))


def _content(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""  # Whoever needs it says what is the matter.
