"""Whether a judged request was answered right: the acts, their arguments, and what the reply holds.

Pure. The rules are those of tests/judged/README.md.
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mcp_servers.errors import Refusal
from mcp_servers.when.durations import duration_of
from mcp_servers.when.resolve import When, resolve

_FILLER = frozenset("a an the of in on for is are does do did when what who how to".split())
_PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation.replace("@", "") + "’‘“”", " "))
_TIMES = frozenset({"when", "new_when"})
_LENGTHS = frozenset({"duration", "new_duration"})
_DEFAULT_LENGTHS = ("1 hour",)
_CANNOT = re.compile(r"can't|cannot|can not|unable|not able", re.IGNORECASE)


@dataclass(frozen=True)
class Score:
    """One case. `is_act_right` and `are_arguments_right` are what the bars are about; `is_reply_right` is the sentence."""

    is_act_right: bool
    are_arguments_right: bool
    is_reply_right: bool
    note: str = ""

    @property
    def is_right(self) -> bool:
        return self.is_act_right and self.are_arguments_right and self.is_reply_right


def plain(text: object) -> str:
    """Lower case, without punctuation and doubled spaces."""
    return " ".join(str(text).lower().translate(_PUNCTUATION).split())


def _spans(text: str, now: datetime) -> When | None:
    try:
        return resolve(text, now)
    except Refusal:
        return None


def _same_time(got: str, want: str, now: datetime) -> bool:
    if plain(got) == plain(want):
        return True
    a, b = _spans(got, now), _spans(want, now)
    if a is None or b is None:
        return False
    if a.precision == "days" and b.precision == "days":
        return (a.span.first_day, a.span.last_day) == (b.span.first_day, b.span.last_day)
    return (a.span.start, a.span.end) == (b.span.start, b.span.end)


def _same_length(got: str, want: str) -> bool:
    try:
        return duration_of(got) == duration_of(want)
    except (Refusal, ValueError):
        return plain(got) == plain(want)


def _words(text: str) -> list[str]:
    return sorted(w for w in plain(text).split() if w not in _FILLER)


def is_accepted(tool: str, name: str, got: object, accepted: list[object], now: datetime) -> bool:
    """Whether `got` is as good as one of the accepted values."""
    return any(_is_as_good(tool, name, got, want, now) for want in accepted)


def _is_as_good(tool: str, name: str, got: object, want: object, now: datetime) -> bool:
    if isinstance(want, bool) or isinstance(got, bool):
        return got == want
    a, b = str(got), str(want)
    if plain(a) == plain(b):
        return True
    if name in _TIMES:
        return _same_time(a, b, now)
    if name in _LENGTHS:
        return _same_length(a, b)
    return tool == "web_search" and name == "query" and _words(a) == _words(b)


def _without_effect(tool: str, name: str, got: object, now: datetime) -> bool:
    """An argument that was not asked for but changes nothing."""
    if name == "subject":
        return True
    if name in _LENGTHS:
        return any(_same_length(str(got), d) for d in _DEFAULT_LENGTHS)
    if tool == "search_mail" and name == "unread":
        return got is False
    return tool == "list_events" and name == "when" and _same_time(str(got), "the next 7 days", now)


def _arguments_note(want: dict[str, Any], got: dict[str, Any], now: datetime) -> str:
    """Empty when the arguments of one call are right."""
    tool, given = want["tool"], got["arguments"]
    for name, accepted in want["arguments"].items():
        if name not in given:
            return f"{tool}: {name} is missing (want {accepted})"
        if not is_accepted(tool, name, given[name], accepted, now):
            return f"{tool}: {name} is {given[name]!r} (want {accepted})"
    extra = [n for n in given if n not in want["arguments"] and not _without_effect(tool, n, given[n], now)]
    return f"{tool}: unasked {extra[0]}={given[extra[0]]!r}" if extra else ""


def _holds(reply: str, text: str) -> bool:
    low = " ".join(reply.lower().split())
    if text.lower() in low:
        return True
    if m := re.fullmatch(r"(\d\d):(\d\d)", text):
        hour, minute = int(m[1]), m[2]
        half = "am" if hour < 12 else "pm"
        twelve = str(hour % 12 or 12)
        shown = f"{twelve}:{minute}" if minute != "00" else twelve
        return f"{shown}{half}" in low or f"{shown} {half}" in low
    return False


def score(case: dict[str, Any], calls: list[dict[str, Any]], reply: str, now: datetime) -> Score:
    """Judge one case.

    Args:
        case: a line of requests.jsonl.
        calls: `{"name", "arguments"}` in the order made.
        reply: the answer to the person.
        now: the world's.
    """
    notes: list[str] = []
    for acts in [case["acts"], *case.get("alternatives", [])]:
        if [a["tool"] for a in acts] != [c["name"] for c in calls]:
            continue
        note = next((n for a, c in zip(acts, calls, strict=True) if (n := _arguments_note(a, c, now))), "")
        if not note:
            return Score(True, True, *_judge_reply(case, reply))
        notes.append(note)
    if notes:
        return Score(True, False, _judge_reply(case, reply)[0], notes[0])
    return Score(False, False, False, f"called {[c['name'] for c in calls]}, want {[a['tool'] for a in case['acts']]}; said {reply!r}")


def _judge_reply(case: dict[str, Any], reply: str) -> tuple[bool, str]:
    rule = case["reply"]
    missing = [t for t in rule.get("must", []) if not _holds(reply, t)]
    present = [t for t in rule.get("must_not", []) if _holds(reply, t)]
    kind = rule["kind"]
    if kind == "cannot" and not _CANNOT.search(reply):
        return False, f"does not say that it can't: {reply!r}"
    if kind == "ask" and "?" not in reply:
        return False, f"does not ask: {reply!r}"
    if kind in ("ask", "greet", "time") and _CANNOT.search(reply):
        return False, f"says that it can't: {reply!r}"
    if missing or present:
        return False, f"misses {missing}, has {present}: {reply!r}"
    return bool(reply.strip()), "" if reply.strip() else "empty reply"
