"""Small JSON files that the engine remembers things in: written whole or not at all, and never the reason for an error.

What is in them can be learned again, so a file that cannot be read is an empty one, and one that cannot be written is a warning.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from config.whole_file import write_whole

_T = TypeVar("_T")
_LOG = logging.getLogger(__name__)


def read_kept(path: Path, parse: Callable[[Any], dict[str, _T]]) -> dict[str, _T]:
    """What the file holds, through `parse`; nothing when it is not there or makes no sense.

    Args:
        path: the file.
        parse: from decoded JSON; may raise ValueError, TypeError, AttributeError or ArithmeticError.
    """
    try:
        return parse(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        _LOG.warning("%s is unreadable and starts afresh: %s", path.name, error)
        return {}


def write_kept(path: Path, value: object) -> None:
    """Keep a value as JSON; called from a thread."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(value))
    except OSError as error:
        _LOG.warning("%s was not saved: %s", path.name, error)
