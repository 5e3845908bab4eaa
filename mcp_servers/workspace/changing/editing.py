r"""What a text becomes by an exact replacement, or by the hunks of a patch, with every other byte as it was.

Pure. A model writes `\n` for every line end. Lines are compared without their ends, and a line that an edit leaves as it is keeps its own.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import replace

from mcp_servers.errors import Refusal
from mcp_servers.workspace.changing.patch import Hunk
from mcp_servers.workspace.folders.textual import Text, body_of, end_of, split_lines

MAX_NAMED = 5
"""Lines that are named where a text occurs more than once."""
_NUMBERED = re.compile(r"[ ]*\d+(?:\t|[:-] )")
"""What stands before a line in a file that was read, or in what a search found."""
_ESCAPED = {r"\r": "", r"\n": "\n", r"\t": "\t", r"\"": '"', r"\'": "'", r"\\": "\\"}


def replaced(text: Text, old: str, new: str, shown: str, *, is_everywhere: bool = False) -> Text:
    """The text with `new` where `old` was.

    1. `old` stands there as it is, once: it is replaced.
    2. Only its line ends differ from the file's: the same, with the file's own.
    3. It stands there several times: all of them, if that was asked for.
    4. The file is empty, and so is `old`: it becomes `new`.

    Raises:
        Refusal: it is not there, stands there several times, or nothing would change.
    """
    if not old and text.lines:
        raise Refusal("Say which text to replace: old_text is empty.")
    if old == new:
        raise Refusal("Nothing to change: old_text and new_text are the same. Give another new_text.")
    if not old:
        return replace(text, lines=split_lines(new))
    whole = text.whole
    for end in ("\n", "\r\n", "\r"):
        sought = _with_end(old, end)
        starts = _starts(whole, sought)
        if starts and (len(starts) == 1 or is_everywhere):
            return replace(text, lines=split_lines(_swapped(whole, starts, sought, _with_end(new, _end_for(text, old, end)))))
        if starts:
            raise Refusal(_several_text(whole, starts, shown))
    found = _mixed(text, old, new)
    if found is not None:
        return found
    raise Refusal(_missing_text(text, old, shown))


def patched(text: Text, hunks: Sequence[Hunk], shown: str) -> Text:
    """The text after all hunks.

    A hunk is put where its header says, else at the nearest place where its lines stand; none is put by likeness.

    Raises:
        Refusal: the lines of a hunk stand nowhere.
    """
    lines = list(text.lines)
    shift = 0
    floor = 0
    for number, hunk in enumerate(hunks, 1):
        at = _place(lines, hunk, hunk.start - 1 + shift if hunk.old else hunk.start + shift, floor)
        if at is None:
            raise Refusal(f"Hunk {number} does not fit {shown}: its lines stand nowhere in the file. Read it again.")
        fresh = _merged(lines[at : at + len(hunk.old)], hunk, text.line_end)
        if at > 0 and fresh and not end_of(lines[at - 1]):
            lines[at - 1] += text.line_end
        lines[at : at + len(hunk.old)] = fresh
        shift += len(fresh) - len(hunk.old)
        floor = at + len(fresh)
    return replace(text, lines=tuple(lines))


def _place(lines: Sequence[str], hunk: Hunk, wanted: int, floor: int) -> int | None:
    if not hunk.old:
        return min(max(wanted, floor), len(lines))
    last = len(lines) - len(hunk.old)
    bodies = [body_of(line) for line in lines]
    places = [at for at in range(floor, last + 1) if bodies[at : at + len(hunk.old)] == list(hunk.old)]
    return min(places, key=lambda at: abs(at - wanted)) if places else None


def _merged(there: Sequence[str], hunk: Hunk, usual_end: str) -> list[str]:
    """The hunk's new lines; those that it only quotes keep the ends that they have."""
    fresh: list[str] = []
    taken = 0
    for mark, body in hunk.lines:
        if mark == "+":
            fresh.append(body + usual_end)
            continue
        if mark == " ":
            fresh.append(there[taken])
        taken += 1
    if fresh:
        was_last = bool(there) and not end_of(there[-1])
        if hunk.ends_bare or (was_last and hunk.ends_bare is None):
            fresh[-1] = body_of(fresh[-1])
        fresh = [line if end_of(line) or i == len(fresh) - 1 else line + usual_end for i, line in enumerate(fresh)]
        if hunk.ends_bare is False and not end_of(fresh[-1]):
            fresh[-1] += usual_end
    return fresh


def _with_end(text: str, end: str) -> str:
    plain = text.replace("\r\n", "\n").replace("\r", "\n") if end != "\n" else text
    return plain.replace("\n", end) if end != "\n" else plain


def _end_for(text: Text, old: str, end: str) -> str:
    """The end that new lines get: that of the lines replaced, else the file's."""
    return end if "\n" in old else text.line_end


def _starts(whole: str, sought: str) -> list[int]:
    """Where it stands, one after the other; a CRLF is not cut in two."""
    starts: list[int] = []
    at = whole.find(sought)
    while at >= 0:
        after = at + len(sought)
        if not (whole[at : at + 1] == "\n" and whole[at - 1 : at] == "\r") and whole[after - 1 : after + 1] != "\r\n":
            starts.append(at)
            at = whole.find(sought, after)
        else:
            at = whole.find(sought, at + 1)
    return starts


def _swapped(whole: str, starts: Sequence[int], sought: str, new: str) -> str:
    pieces: list[str] = []
    last = 0
    for start in starts:
        pieces += [whole[last:start], new]
        last = start + len(sought)
    return "".join([*pieces, whole[last:]])


def _mixed(text: Text, old: str, new: str) -> Text | None:
    """Lines whose ends are of several kinds: found line by line, and those that stay keep their ends."""
    is_open = not old.endswith(("\n", "\r"))
    wanted = [body_of(line) for line in split_lines(old)]
    bodies = [body_of(line) for line in text.lines]
    places = [at for at in range(len(bodies) - len(wanted) + 1) if bodies[at : at + len(wanted)] == wanted]
    if len(places) != 1 or (len(wanted) < 2 and "\r" not in old):
        return None
    at = places[0]
    there = text.lines[at : at + len(wanted)]
    fresh = split_lines(_with_end(new, "\n") + ("\n" if is_open else ""))
    merged: list[str] = []
    for tag, first, last, start, stop in difflib.SequenceMatcher(
        a=wanted, b=[body_of(line) for line in fresh], autojunk=False
    ).get_opcodes():
        merged += there[first:last] if tag == "equal" else [body_of(line) + text.line_end for line in fresh[start:stop]]
    merged = [line if end_of(line) else line + text.line_end for line in merged[:-1]] + merged[-1:]
    if is_open and merged:
        merged[-1] = body_of(merged[-1]) + end_of(there[-1])
    return replace(text, lines=(*text.lines[:at], *merged, *text.lines[at + len(wanted) :]))


def _several_text(whole: str, starts: Sequence[int], shown: str) -> str:
    numbers = [str(len(split_lines(whole[:start] + "x"))) for start in starts[:MAX_NAMED]]
    more = ", …" if len(starts) > MAX_NAMED else ""
    return f"{shown} holds that text {len(starts)} times (lines {', '.join(numbers)}{more}). Give more of the text around it, or set all."


def _missing_text(text: Text, old: str, shown: str) -> str:
    """That it is not there, and by which slip, where one tells it: reading the file again would not lead to another text."""
    whole, sought = _plain(text.whole), _plain(old)
    at = whole.find(sought)
    if at >= 0:
        number = whole.count("\n", 0, at) + 1
        return f"{shown} holds that text from line {number} on, with line ends of several kinds. Give whole lines, one place at a time."
    missing = f"{shown} does not hold that text"
    if sought.strip() and sought.endswith("\n") and whole.rstrip("\n").endswith(sought.rstrip("\n")):
        return f"{missing} as it is: the file ends there with fewer line ends. Leave them out at the end of old_text."
    lines = sought.strip("\n").split("\n")
    bare = "\n".join(_NUMBERED.sub("", line, count=1) for line in lines)
    if bare.strip() and bare in whole and all(map(_NUMBERED.match, filter(None, lines))):
        return f"{missing}: the numbers are no part of the lines. Leave the line numbers out."
    if "\\" in sought and _unescaped(sought) in whole:
        return f'{missing}: it is escaped twice. Write real line ends, tabs and quotes, not \\n, \\t and \\".'
    words = old.split()
    first = old.strip().split("\n")[0].split()
    for number, line in enumerate(text.lines):
        span = "".join(text.lines[number : number + sought.strip().count("\n") + 1])
        if line.split() == first and span.split() == words:
            return f"{missing} as it is; from line {number + 1} on it differs in its spaces. Copy it from there."
    return f"{missing}. Read it again."


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _unescaped(text: str) -> str:
    return re.sub(r"\\.", lambda found: _ESCAPED.get(found[0], found[0]), text)
