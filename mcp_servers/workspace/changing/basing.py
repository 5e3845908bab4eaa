"""What a change is based on: what a person was shown of it, so that another change elsewhere in the same file leaves it as it was approved.

Pure. Models send several edits of one file, or the files of a new folder, in one reply; each is shown before the first is carried out.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Sequence

from mcp_servers.workspace.folders.textual import decoded
from mcp_servers.workspace.model import Content, Step

CONTEXT = 3
"""Lines around a changed one that belong to what was shown, as in the diff."""
_VERSION = re.compile(r"([0-9a-f]{32})\+(\d{1,5})")


def version_of(steps: Sequence[Step]) -> str:
    """What the steps are based on, and how many folders they make.

    1. A file that is written: the lines of each hunk with those around them, wherever they stand by now.
    2. Its hunks could be meant elsewhere too, or it is no text: the whole file.
    3. A file that is deleted: the whole file.
    """
    based = [[step.kind, step.place.shown, *_based(step)] for step in steps if step.kind != "make_folder"]
    digest = hashlib.sha256(json.dumps(based).encode()).hexdigest()[:32]
    return f"{digest}+{sum(step.kind == 'make_folder' for step in steps)}"


def is_stale(shown: str, steps: Sequence[Step]) -> bool:
    """Whether the steps are not those of the version that was shown. A folder that was to be made may be there by now, but none more."""
    was, now = _VERSION.fullmatch(shown), _VERSION.fullmatch(version_of(steps))
    return was is None or now is None or was[1] != now[1] or int(was[2]) < int(now[2])


def _based(step: Step) -> list[str]:
    if step.before is None:
        return []
    hunks = _hunks(step.before, step.after) if step.kind == "write" and step.after is not None else None
    return hunks or [hashlib.sha256(step.before.data).hexdigest()]


def _hunks(before: Content, after: Content) -> list[str] | None:
    """The old and the new lines of each hunk; None where the old ones stand in the file more than once, or it is no text."""
    texts = decoded(before.data), decoded(after.data)
    if texts[0] is None or texts[1] is None:
        return None
    old, new = texts[0].lines, texts[1].lines
    hunks: list[str] = []
    for group in difflib.SequenceMatcher(None, old, new).get_grouped_opcodes(CONTEXT):
        sought = "".join(old[group[0][1] : group[-1][2]])
        at = texts[0].whole.find(sought)
        if not sought or texts[0].whole.find(sought, at + 1) >= 0:
            return None
        hunks += [sought, "".join(new[group[0][3] : group[-1][4]])]
    return hunks
