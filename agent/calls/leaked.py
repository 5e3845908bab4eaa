"""Tool calls that a model wrote into its answer's text instead of the place for them, in the forms that common models use.

A server that does not know a model's form passes it on as text. It counts as calls only if it is the whole answer and every name is a
tool's: an answer that talks about a call, or shows one, stays an answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any, cast

from agent.calls.dialects import Written, dropping, gemma, glm, literal, python, table
from agent.calls.fitting import known_name
from agent.calls.halves import TAGS, name_of_half
from agent.calls.marked import marked, python_in, unwrapped
from agent.calls.mending import mend
from agent.calls.unmarked import may_begin, unmarked
from agent.events import CallValue
from config.vocabulary import is_table

LEAKED = "it was written as text"
_OPENERS = (*TAGS, "{", "[{")
_FENCE_MARK = "```"
_XML = re.compile(r"<function=([\w.:-]+)>(.*?)</function>", re.DOTALL)
_PARAMETER = re.compile(r"<parameter=([\w.:-]+)>\n?(.*?)\n?</parameter>", re.DOTALL)
_TAGGED = re.compile(r"<(tool_call|function_call)>(.*?)(?:</\1>|\Z)", re.DOTALL)
_MISTRAL_MARK = "[TOOL_CALLS]"
_BETWEEN_MISTRAL = re.compile(r"(?<=\})\s*\[TOOL_CALLS\]")
# Here and below no two parts that stand side by side can take the same characters: a model that writes blanks without end holds nobody up.
_MISTRAL = re.compile(r"\s*([\w.:-]++)\s*+(?:\[CALL_ID\]\w*+\s*+)?(?:\[ARGS\]\s*+)?(\{.*\})", re.DOTALL)
_BETWEEN_OBJECTS = re.compile(r"[\s;,]*+")
_BEHIND = "; \t\r\n"
_DECODER = json.JSONDecoder()
_FENCE = re.compile(r"```[\w-]*[^\S\n]*\n(.*?)```", re.DOTALL)
_CODE = re.compile(r"```tool_code[^\S\n]*\n(.*)```", re.DOTALL)


def may_be_call(text: str) -> bool:
    """Whether the beginning of an answer may yet turn out to be a call: it is not shown before that is known."""
    begun = text.lstrip()
    if begun.startswith(_FENCE_MARK):
        return _may_be_fenced(begun)
    return (
        _FENCE_MARK.startswith(begun)
        or any(begun.startswith(opener) or opener.startswith(begun) for opener in _OPENERS)
        or may_begin(begun)
    )


def _may_be_fenced(begun: str) -> bool:
    """A block of code is shown as it grows: only JSON, in a block that says so or says nothing, may be a call."""
    language, end, inside = begun.removeprefix(_FENCE_MARK).partition("\n")
    language = language.strip().lower()
    if not end:
        return any(known.startswith(language) for known in ("json", "tool")) or language.startswith("tool")
    if language == "tool_code":
        return re.match(r"[\w\[{(]|\Z", inside.lstrip()) is not None
    return (language in ("", "json") or language.startswith("tool")) and inside.lstrip()[:1] in ("", "{", "[")


def calls_in(text: str, names: Collection[str]) -> tuple[CallValue, ...]:
    """The calls that an answer consists of; none if it is an answer.

    1. Qwen's tags: `<function=NAME><parameter=KEY>VALUE</parameter></function>`, within `<tool_call>` or bare; with JSON inside, as
       Functionary writes it.
    2. Hermes' tags: `<tool_call>{"name": …, "arguments": …}</tool_call>`, one or several.
    3. Mistral's: `[TOOL_CALLS][{…}]`, or `[TOOL_CALLS]NAME[ARGS]{…}`.
    4. Gemma's and GLM's tags, and Python in a fence of its own (`agent.calls.dialects`); the marks of other families, and those that only
       stand around one of these forms (`agent.calls.marked`).
    5. A fenced block, or the bare JSON: an object or a list of them with a name and arguments; a bare list of Python, ReAct's lines,
       Functionary's recipients (`agent.calls.unmarked`). Several objects may stand in a row, as Llama writes them.
    6. The beginning of one, of which the rest cannot be read (`agent.calls.halves`): a call with the text as its arguments, which nobody
       can read. It is refused, so that the model can write it again; as an answer it would be no use to anybody.
    A tool's name counts; in tags, which no answer has, also one that is spelt otherwise and can only be that tool's.

    Args:
        text: the whole answer, without the model's thoughts.
        names: of the tools.
    """
    original = text.strip()
    if not may_be_call(original):
        return ()
    said = unwrapped(original)
    for read in (_qwen, _hermes, _mistral, _dialect):
        calls = read(said)
        if calls:
            return calls if all(known_name(call.name, names) in names for call in calls) else ()
    calls = _json(said) or tuple(_call(*each) for each in unmarked(said))
    if calls:
        return calls if all(call.name in names for call in calls) else ()
    # Marks around one may be what tells that it is one, and may stand around tags that tell it too.
    begun = name_of_half(said, names) or name_of_half(original, names) or name_of_half(_in_a_row(said)[1], names)
    return (_call(begun, original),) if begun else ()


def _covers(pattern: re.Pattern[str], said: str, drop: str = r"</?tool_call>") -> bool:
    """Whether nothing but the pattern's matches is there."""
    return not re.sub(drop, "", pattern.sub("", said)).strip()


def _qwen(said: str) -> tuple[CallValue, ...]:
    found: list[tuple[str, str]] = _XML.findall(said)
    if found and _covers(_XML, said) and all(inner.lstrip().startswith("{") for _, inner in found):
        return tuple(_call(name, inner.strip()) for name, inner in found)
    # What is no whole parameter is the beginning of one: half a call is none.
    if not found or not _covers(_XML, said) or not all(_covers(_PARAMETER, inner) for _, inner in found):
        return ()
    return tuple(_call(name, table((key, literal(value)) for key, value in _PARAMETER.findall(inner))) for name, inner in found)


def _hermes(said: str) -> tuple[CallValue, ...]:
    if not _TAGGED.search(said) or not _covers(_TAGGED, said):
        return ()
    return _all([inner for _, inner in _TAGGED.findall(said)])


def _mistral(said: str) -> tuple[CallValue, ...]:
    if not said.startswith(_MISTRAL_MARK):
        return ()
    inner = said.removeprefix(_MISTRAL_MARK)
    found = [_MISTRAL.fullmatch(each) for each in _BETWEEN_MISTRAL.split(inner)]
    named = [each for each in found if each is not None]
    return tuple(_call(each[1], each[2]) for each in named) if len(named) == len(found) else _all([inner])


def _dialect(said: str) -> tuple[CallValue, ...]:
    code = _CODE.fullmatch(said)
    found: tuple[Written, ...] = gemma(said) or glm(said) or marked(said) or python(code[1] if code else python_in(said))
    return tuple(_call(*each) for each in found)


def _json(said: str) -> tuple[CallValue, ...]:
    bare = said.removeprefix("<|python_tag|>").removeprefix("<|tool_call|>").strip()
    fenced = _FENCE.findall(bare)
    if fenced and not _covers(_FENCE, bare):
        return ()
    return _all(fenced or [bare])


def _all(texts: list[str]) -> tuple[CallValue, ...]:
    """Every text is a call, a list of calls or several in a row; else none is."""
    out: list[CallValue] = []
    for text in texts:
        # As it stands behind each of several in a row; a comma is let go by what reads a call.
        text = text.strip().rstrip(_BEHIND)
        read = mend(text)
        if read is None:
            row, rest = _in_a_row(text)
            inner = () if rest or len(row) < 2 else _all(row)
            if not inner:
                return ()
            out += inner
            continue
        if read.is_open:
            return ()
        value: Any = read.value.get("tool_calls", read.value) if is_table(read.value) and len(read.value) == 1 else read.value
        items: list[Any] = cast("list[Any]", value) if isinstance(value, list) else [value]
        for item in items:
            call = _from_object(item, dropping(read.slips))
            if call is None:
                return ()
            out.append(call)
    return tuple(out)


def _in_a_row(text: str) -> tuple[list[str], str]:
    """The whole objects at the beginning of a text, as Llama writes several calls, and what follows them."""
    out, at = list[str](), 0
    while (begun := _BETWEEN_OBJECTS.match(text, at)) is not None and text.startswith("{", begun.end()):
        try:
            _, end = _DECODER.raw_decode(text, begun.end())
        except (ValueError, RecursionError):
            break
        out.append(text[begun.end() : end])
        at = end
    return out, text[begun.end() if begun is not None else at :]


def _from_object(item: Any, slips: tuple[str, ...]) -> CallValue | None:
    if not isinstance(item, dict):
        return None
    given = cast("dict[str, Any]", item)
    if isinstance(given.get("function"), dict):
        given = cast("dict[str, Any]", given["function"])
    name: Any = given.get("name") or given.get("function") or given.get("tool") or given.get("tool_name")
    place = next((key for key in ("arguments", "parameters", "args", "input") if key in given), None)
    if not isinstance(name, str) or (place is None and len(given) > 1):
        return None
    arguments: Any = given[place] if place else {}
    return _call(name, arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False), slips)


def _call(name: str, arguments: str, slips: tuple[str, ...] = ()) -> CallValue:
    return CallValue(id="", name=name, arguments=arguments, repaired="; ".join((LEAKED, *slips)))
