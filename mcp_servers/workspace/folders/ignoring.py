"""What `.gitignore` files leave out of listings and searches.

Pure: the files' texts come in. Only those inside the workspace count, each for its own folder; git's own settings and
`info/exclude` are not read. A hostile pattern must not cost time, so one with many stars is passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore import GitIgnorePatternError

FILE = ".gitignore"
MAX_FILE_BYTES = 64 * 1024
_MAX_PATTERNS = 1000
_MAX_PATTERN_CHARS = 256
_MAX_STARS = 3
"""In one part of a pattern, and again as many `**`: the time for a name grows with its length to that power."""


@dataclass(frozen=True)
class Rules:
    """The patterns of one folder's file, and those of the folders above."""

    depth: int
    """How many names deep the folder lies."""
    spec: GitIgnoreSpec
    above: Rules | None = None

    def ignores(self, parts: Sequence[str], *, is_folder: bool) -> bool:
        """Whether a place is left out; the deepest file that says anything decides."""
        rules: Rules | None = self
        while rules is not None:
            include = rules.spec.check_file("/".join(parts[rules.depth :]) + ("/" if is_folder else "")).include
            if include is not None:
                return include
            rules = rules.above
        return False


def with_rules(text: str, depth: int, above: Rules | None) -> Rules:
    """The rules of a folder that has a file of its own."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#") and _is_cheap(line)]
    try:
        spec = GitIgnoreSpec.from_lines(lines[:_MAX_PATTERNS])
    except GitIgnorePatternError:
        spec = GitIgnoreSpec.from_lines(line for line in lines[:_MAX_PATTERNS] if _is_pattern(line))
    return Rules(depth, spec, above)


def _is_cheap(line: str) -> bool:
    parts = line.split("/")
    return (
        len(line) <= _MAX_PATTERN_CHARS
        and all(part.count("*") <= _MAX_STARS for part in parts if part != "**")
        and parts.count("**") <= _MAX_STARS
    )


def _is_pattern(line: str) -> bool:
    try:
        GitIgnoreSpec.from_lines([line])
    except GitIgnorePatternError:
        return False
    return True
