"""Calls between the marks of one family of models: gpt-oss's, DeepSeek's, Kimi's, Apertus', tags that invoke, and marks around JSON.

Pure; part of `agent.calls.leaked`, as `agent.calls.dialects` is. To such a model the marks are tokens of their own, which no answer has.
Their last one is often the end of the answer and not passed on, so it may be missing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, cast

from agent.calls.dialects import Written, dropping, literal, table
from agent.calls.mending import mend
from config.vocabulary import is_table

_WRAPPERS: Mapping[str, str] = {
    "<TOOLCALL>": "</TOOLCALL>",
    "<|START_ACTION|>": "<|END_ACTION|>",
    "<|tool_call|>": "<|/tool_call|>",
    "<seed:tool_call>": "</seed:tool_call>",
    "<minimax:tool_call>": "</minimax:tool_call>",
    "<function_calls>": "</function_calls>",
    "<tool_calls>": "</tool_calls>",
}
PYTHON = ("<|tool_call_start|>", "<|tool_call_end|>")
"""Around Python, as LFM writes it."""
_FIRE = "functools["
"""Before a list of JSON, as FireFunction writes it; the bracket is the list's."""
_HARMONY = ("<|start|>", "<|channel|>")
_DEEPSEEK = ("<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>", "<｜tool▁calls▁end｜>")
_KIMI = (
    "<|tool_calls_section_begin|>",
    "<|tool_call_begin|>",
    "<|tool_call_argument_begin|>",
    "<|tool_call_end|>",
    "<|tool_calls_section_end|>",
)
_APERTUS = ("<|tools_prefix|>", "<|tools_suffix|>")
MARKS = (*_WRAPPERS, PYTHON[0], *_HARMONY, *_DEEPSEEK[:2], *_KIMI[:2], _APERTUS[0], "<invoke ", _FIRE)
"""How they begin."""
_HEAD_MARK = re.compile(r"<\|(?:start|channel|constrain)\|>")
_HALF_MARK = re.compile(r"<[^<>\s]*+\Z")
_HEAD_WORDS = frozenset({"assistant", "commentary", "analysis", "json"})
_ANSWER_WORDS = _HEAD_WORDS | {"final", "to="}
_INVOKED = re.compile(r'<invoke name="([\w.:-]+)">(.*?)</invoke>', re.DOTALL)
_GIVEN = re.compile(r'<parameter name="([\w.:-]+)"[^<>]*>\n?(.*?)\n?</parameter>', re.DOTALL)
_FENCED = re.compile(r"```\w*\n(.*?)\n?(?:```)?", re.DOTALL)


def unwrapped(said: str) -> str:
    """What stands between marks that only say that calls come; all of it where there are none."""
    if said.startswith(_FIRE):
        return said.removeprefix(_FIRE[:-1])
    for begin, end in _WRAPPERS.items():
        if said.startswith(begin):
            return said.removeprefix(begin).removesuffix(end).strip()
    return said


def python_in(said: str) -> str:
    """The Python between its marks; empty where there are none."""
    begin, end = PYTHON
    return said.removeprefix(begin).removesuffix(end).strip() if said.startswith(begin) else ""


def marked(said: str) -> tuple[Written, ...]:
    """The calls of an answer in one of these forms; none where something else stands beside them.

    One without arguments ended before them: such models write `{}` where there are none.
    """
    for read in (_harmony, _deepseek, _kimi, _apertus, _invoked):
        calls = list(read(said))
        if calls:
            return () if None in calls else tuple(call for call in calls if call is not None)
    return ()


def _harmony(said: str) -> Iterable[Written | None]:
    """`<|channel|>commentary to=functions.NAME <|constrain|>json<|message|>{…}<|call|>`, behind thoughts of the same form or not."""
    if not said.startswith(_HARMONY):
        return
    thought, end, rest = said.partition("<|end|>")
    if end and "to=" not in thought:
        said = rest
    for part in filter(str.strip, said.split("<|call|>")):
        head, _, arguments = part.partition("<|message|>")
        words = _HEAD_MARK.sub(" ", head).split()
        names = [word.removeprefix("to=").removeprefix("functions.") for word in words if word.startswith("to=")]
        others = [word for word in words if not word.startswith("to=")]
        is_call = len(names) == 1 and arguments.strip() and _HEAD_WORDS.issuperset(others)
        yield Written(names[0], arguments.strip()) if is_call else None


def is_mere_head(said: str) -> bool:
    """Whether it is what stands before a message of gpt-oss, and no message."""
    head = said.rpartition("<|end|>")[2]
    return said.startswith(_HARMONY) and "<|message|>" not in head and _are_of_a_head(head, _ANSWER_WORDS)


def recipient_of(said: str) -> str:
    """The tool that gpt-oss begins to call; empty where it calls none, or says something else with it."""
    if not said.startswith(_HARMONY):
        return ""
    thought, end, rest = said.partition("<|end|>")
    head = (rest if end and "to=" not in thought else said).partition("<|message|>")[0]
    words = _HEAD_MARK.sub(" ", _HALF_MARK.sub("", head)).split()
    names = [word.removeprefix("to=").removeprefix("functions.") for word in words if word.startswith("to=")]
    return names[0] if len(names) == 1 and _are_of_a_head(head, _HEAD_WORDS) else ""


def _are_of_a_head(head: str, known: Collection[str]) -> bool:
    """Whether its words are those that stand before a message; the last one may be the beginning of one."""
    words = _HEAD_MARK.sub(" ", _HALF_MARK.sub("", head)).split()
    return all(word.startswith("to=") or any(each.startswith(word) for each in known) for word in words)


def _deepseek(said: str) -> Iterable[Written | None]:
    """`<｜tool▁call▁begin｜>NAME<｜tool▁sep｜>{…}<｜tool▁call▁end｜>`, or with `function` before and the arguments in a fence."""
    all_begin, begin, between, end, all_end = _DEEPSEEK
    for part in _parts(said, all_begin, begin, end, all_end):
        name, mark, arguments = (part or "").partition(between)
        if name.strip() == "function":
            name, _, arguments = arguments.partition("\n")
        fenced = _FENCED.fullmatch(arguments.strip())
        given = fenced[1] if fenced else arguments.strip()
        yield Written(name.strip(), given) if mark and given else None


def _kimi(said: str) -> Iterable[Written | None]:
    """`<|tool_call_begin|>functions.NAME:0<|tool_call_argument_begin|>{…}<|tool_call_end|>`."""
    all_begin, begin, between, end, all_end = _KIMI
    for part in _parts(said, all_begin, begin, end, all_end):
        name, mark, arguments = (part or "").partition(between)
        name = re.sub(r":\d+$", "", name.strip()).removeprefix("functions.")
        yield Written(name, arguments.strip()) if mark and arguments.strip() else None


def _apertus(said: str) -> Iterable[Written | None]:
    """`<|tools_prefix|>[{"NAME": {…}}, …]<|tools_suffix|>`: each name has its arguments."""
    begin, end = _APERTUS
    read = mend(said.removeprefix(begin).strip().removesuffix(end)) if said.startswith(begin) else None
    if read is None or read.is_open or not isinstance(read.value, list):
        return
    for item in cast("list[Any]", read.value):
        for name, given in item.items() if is_table(item) else [("", None)]:
            yield Written(name, json.dumps(given, ensure_ascii=False), dropping(read.slips)) if is_table(given) else None


def _parts(said: str, all_begin: str, begin: str, end: str, all_end: str) -> Iterable[str | None]:
    """What stands in each call; None for what is none."""
    if not said.startswith((all_begin, begin)):
        return
    inner = said.removeprefix(all_begin).strip().removesuffix(all_end)
    for part in filter(str.strip, inner.split(end)):
        yield part.strip().removeprefix(begin) if part.strip().startswith(begin) else None


def _invoked(said: str) -> Iterable[Written | None]:
    """`<invoke name="NAME"><parameter name="KEY">VALUE</parameter></invoke>`."""
    # Looked at only where the last one is closed: else each that is open would be looked through to the end.
    if not said.endswith("</invoke>") or _INVOKED.sub("", said).strip():
        return
    for name, inner in _INVOKED.findall(said):
        if inner.strip() and not inner.rstrip().endswith("</parameter>"):
            yield None
            continue
        given: list[tuple[str, Any]] = [(key, literal(value)) for key, value in _GIVEN.findall(inner)]
        yield None if _GIVEN.sub("", inner).strip() else Written(name, table(given))
