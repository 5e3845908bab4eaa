"""Unified diffs, read and written.

Pure. A patch says what a model wants; what it may say is small: change a text file, or make a new one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from mcp_servers.errors import Refusal
from mcp_servers.workspace.folders.textual import body_of, end_of, visible

_HUNK = re.compile(r"@@+ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_BARE_END = "\\ No newline at end of file"
_NOTHING = "/dev/null"
_REFUSED = {
    "rename from": "renames. Use move_file",
    "rename to": "renames. Use move_file",
    "copy from": "copies. Create the file instead",
    "deleted file mode": "deletes. Use delete_file",
    "GIT binary patch": "holds binary data. Leave that file out",
    "Binary files": "holds binary data. Leave that file out",
    "old mode": "changes a mode. Run chmod instead",
    "new file mode 120000": "makes a link. Create a file instead",
}
"""What a line of a git patch begins with, and what is said of it."""
_MARKS = (" ", "+", "-")
_NEXT = re.compile(r"diff -|Index: \S|From \w+ \w{3} \w{3} +\d|commit [0-9a-f]{7,}\b")
"""What begins behind a file's last hunk in patches, mails and logs, where no file's name does."""
_GIT_NAMES = re.compile(r"diff --git a/(.+) b/\1")
_MAX_QUOTED = 60


@dataclass(frozen=True)
class Hunk:
    """One place that a patch changes."""

    start: int
    """The first old line, from 1."""
    lines: tuple[tuple[str, str], ...]
    """` `, `-` or `+`, and the line without its end."""
    ends_bare: bool | None = None
    """Whether the patch says that its last new line has no end; None where it says nothing of it."""

    @property
    def old(self) -> tuple[str, ...]:
        return tuple(body for mark, body in self.lines if mark != "+")


@dataclass(frozen=True)
class FilePatch:
    """What a patch does to one file."""

    path: str
    is_new: bool
    hunks: tuple[Hunk, ...]


def parsed(patch: str) -> tuple[FilePatch, ...]:
    """The files of a patch, in its order.

    Raises:
        Refusal: it is no unified diff, names a file twice, or does what no edit does.
    """
    lines = patch.replace("\r\n", "\n").split("\n")
    files: list[FilePatch] = []
    at = 0
    while at < len(lines):
        _check_allowed(lines[at])
        if _is_file(lines, at):
            path, is_new = _names(lines[at][4:], lines[at + 1][4:])
            hunks, at = _hunks(lines, at + 2, path)
            _check_rest(lines, at)
            files.append(FilePatch(path, is_new, hunks))
        elif (empty := _new_and_empty(lines, at)) is not None:
            files.append(FilePatch(empty, is_new=True, hunks=()))
            at += 1
        elif lines[at].startswith("@@"):
            raise Refusal("The patch names no file: lines '--- a/FILE' and '+++ b/FILE' must stand before its hunks.")
        else:
            at += 1
    for path in [file.path for file in files]:
        if sum(file.path == path for file in files) > 1:
            raise Refusal(f"The patch names {path} twice. Give one part for each file.")
    if not files:
        raise Refusal("That is no unified diff. Begin with '--- a/FILE', '+++ b/FILE' and '@@ -1,3 +1,4 @@'.")
    return tuple(files)


def unified(before: Sequence[str], after: Sequence[str], path: str, *, context: int = 3) -> str:
    """The unified diff of two texts, with every hidden character spelled out, and every line end that is not the usual one."""
    ends = [end_of(line) for line in (*before, *after)]
    usual = max(("\n", "\r\n", "\r"), key=ends.count)
    old, new = ([_shown(line, usual) for line in lines] for lines in (before, after))
    diff = difflib.unified_diff(old, new, f"a/{path}" if before else _NOTHING, f"b/{path}" if after else _NOTHING, n=context, lineterm="")
    return "\n".join(diff)


def counts(before: Sequence[str], after: Sequence[str]) -> tuple[int, int]:
    """Lines added and removed."""
    marks = [line[:1] for line in difflib.unified_diff(list(before), list(after), n=0)][2:]
    return marks.count("+"), marks.count("-")


def _shown(line: str, usual_end: str) -> str:
    end = end_of(line)
    mark = "" if end == usual_end else {"\n": "<LF>", "\r\n": "<CRLF>", "\r": "<CR>", "": "<no line end>"}[end]
    return visible(body_of(line)) + mark


def _check_allowed(line: str) -> None:
    for begin, what in _REFUSED.items():
        if line.startswith(begin):
            raise Refusal(f"The patch {what}.")


def _names(old: str, new: str) -> tuple[str, bool]:
    # A tab and a date may follow a name.
    before, after = old.split("\t")[0].strip(), new.split("\t")[0].strip()
    if after == _NOTHING:
        raise Refusal("The patch deletes. Use delete_file.")
    if before.startswith("a/") and after.startswith("b/") or before == _NOTHING and after.startswith("b/"):
        after = after[2:]
        before = before if before == _NOTHING else before[2:]
    if before not in {_NOTHING, after}:
        raise Refusal("The patch renames. Use move_file.")
    return after, before == _NOTHING


def _hunks(lines: Sequence[str], at: int, path: str) -> tuple[tuple[Hunk, ...], int]:
    hunks: list[Hunk] = []
    while at < len(lines) and (match := _HUNK.match(lines[at])):
        hunk, at = _hunk(lines, at + 1, int(match[1]), (int(match[2] or 1), int(match[4] or 1)))
        hunks.append(hunk)
        following = _after_empty(lines, at)
        at = following if following < len(lines) and _HUNK.match(lines[following]) else at
    if not hunks:
        raise Refusal(f"The patch has no hunk for {path}: '@@ -1,3 +1,4 @@' begins one.")
    return tuple(hunks), at


def _hunk(lines: Sequence[str], at: int, start: int, sizes: tuple[int, int]) -> tuple[Hunk, int]:
    """One hunk. Its sizes only tell what must still belong to it: models count badly, and its lines must stand in the file."""
    found: list[tuple[str, str]] = []
    bare: dict[str, bool] = {}
    while at < len(lines):
        line = lines[at]
        is_filled = sum(mark != "+" for mark, _ in found) >= sizes[0] and sum(mark != "-" for mark, _ in found) >= sizes[1]
        if line.startswith(_BARE_END) and found:
            bare[found[-1][0]] = True
        elif line[:1] in _MARKS and not (is_filled and (_is_file(lines, at) or _is_signature(lines, at))):
            found.append((line[0], line[1:]))
        elif line == "" and _goes_on(lines, at):
            found.append((" ", ""))  # an empty line that was quoted without its space
        else:
            break
        at += 1
    is_bare = bare.get("+", False) or bare.get(" ", False)
    says = is_bare or "-" in bare
    return Hunk(start, tuple(found), is_bare if says else None), at


def _is_signature(lines: Sequence[str], at: int) -> bool:
    """Whether git's own end of a mailed patch begins here: `-- ` and a text. Without one, a badly counted hunk removes the line `- `."""
    following = lines[at + 1] if at + 1 < len(lines) else ""
    return lines[at] in {"-- ", "--"} and following[:1] not in {"", " ", "+", "-", "@", "\\"} and not following.startswith("diff ")


def _goes_on(lines: Sequence[str], at: int) -> bool:
    """Whether a line of the same hunk follows after empty ones."""
    following = _after_empty(lines, at)
    return following < len(lines) and lines[following][:1] in _MARKS and not _is_next(lines, following)


def _after_empty(lines: Sequence[str], at: int) -> int:
    return next((number for number in range(at, len(lines)) if lines[number]), len(lines))


def _is_file(lines: Sequence[str], at: int) -> bool:
    """Whether a file's two names begin here; one such line by itself removes a line that begins with `-- `."""
    return lines[at].startswith("--- ") and at + 1 < len(lines) and lines[at + 1].startswith("+++ ")


def _is_next(lines: Sequence[str], at: int) -> bool:
    """Whether the hunks before are over for sure."""
    return _is_file(lines, at) or _is_signature(lines, at) or _NEXT.match(lines[at]) is not None


def _check_rest(lines: Sequence[str], at: int) -> None:
    """Nothing behind a file's hunks may look like a part of them: it would be left out, and nobody be told.

    Raises:
        Refusal: a line there belongs to no hunk.
    """
    first = at
    while at < len(lines) and not _is_next(lines, at):
        if not lines[first].strip():
            first = at
        if lines[at].strip() and lines[at].startswith((*_MARKS, "@@")):
            line = lines[first]
            quoted = visible(line[:_MAX_QUOTED]) + ("…" if len(line) > _MAX_QUOTED else "")
            what = "begins no hunk: '@@ -1,3 +1,4 @@' does" if line.startswith("@@") else "belongs to no hunk"
            raise Refusal(f'Line {first + 1} of the patch ("{quoted}") {what}. Write a blank, + or - before each line.')
        at += 1


def _new_and_empty(lines: Sequence[str], at: int) -> str | None:
    """The name of a file that git says to be new, and of which nothing follows."""
    names = _GIT_NAMES.fullmatch(lines[at])
    if names is None or at + 1 == len(lines) or not lines[at + 1].startswith("new file mode"):
        return None
    following = next((number for number in range(at + 2, len(lines)) if lines[number] and not lines[number].startswith("index ")), None)
    is_over = following is None or _NEXT.match(lines[following]) is not None or _is_signature(lines, following)
    return names[1] if is_over else None
