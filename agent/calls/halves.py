"""Calls that were written as text and end in the middle, in any of the forms that `agent.calls.leaked` reads whole.

Pure; part of `agent.calls.leaked`. Nobody can run one and nobody wants to read one: with a tool's name it is a call that is refused, so
that the model can write it again, and without one it is no answer. What is said behind a call makes all of it an answer about calls.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from agent.calls.dialects import OPENERS
from agent.calls.fitting import known_name
from agent.calls.marked import MARKS, is_mere_head, recipient_of
from agent.calls.unmarked import is_open

TAGS = (*OPENERS, *MARKS, "<function=", "<function_call>", "<|python_tag|>", "[TOOL_CALLS]")
"""How calls begin that say so: no answer has these."""
# Here and below no two parts that stand side by side can take the same characters: a model that writes blanks without end holds nobody up.
_OTHER = r"[\"'](?:id|index|type|tool_call_id)[\"']\s*+:\s*+[^\s,{}\[\]]++\s*+,\s*+"
_INSIDE = r"(?:[\"']function[\"']\s*+:\s*+\{\s*+)?+"
_NAMED = rf"\{{\s*+(?:{_OTHER})*+{_INSIDE}[\"'](?:name|function|tool_name|tool)[\"']\s*+:\s*+[\"']([\w.:-]++)[\"']"
_BEGUN = re.compile(
    r"(?:<(?:seed:)?tool_call>\s*+)?<function=([\w.:-]++)>(?=\s*+(?:[<{]|\Z)|[^<]*+</function>)"
    r"|(?:<tool_calls?>|<function_calls?>|<TOOLCALL>|<(?:seed|minimax):tool_call>|<\|(?:tool_call|python_tag|START_ACTION)\|>|\[TOOL_CALLS\])"
    rf"\s*+(?:\[\s*+)?{_NAMED}"
    r"|\[TOOL_CALLS\]\s*([\w.:-]+)\s*(?:\[CALL_ID\]\w*\s*)?(?:\[ARGS\]|\{)"
    r"|<\|tool_call>\s*call:([\w.:-]+)\s*\{"
    r"|<tool_call>\s*([\w.:-]+)\s*<arg_key>"
    r'|<\|tools_prefix\|>\s*\[?\s*\{\s*"([\w.:-]+)"\s*:'
    r"|<\|tool_call_start\|>\s*+\[\s*+([A-Za-z_][\w.]*+)\("
    r"|(?:<｜tool▁calls▁begin｜>\s*+)?<｜tool▁call▁begin｜>\s*+(?:function\s*+<｜tool▁sep｜>\s*+([\w.:-]++)\n|([\w.:-]++)\s*+<｜tool▁sep｜>)"
    r"|(?:<\|tool_calls_section_begin\|>\s*+)?<\|tool_call_begin\|>\s*+(?:functions\.)?+([\w.-]++)(?::\d++)?\s*+<\|tool_call_argument_begin\|>"
    r'|(?:<(?:function_calls|minimax:tool_call)>\s*+)?<invoke name="([\w.:-]++)"(?=>?\s*+(?:<|\Z)|>[^<]*+</invoke>)'
)
_OPEN = re.compile(rf"functools(?=\[)(?:\[\s*+{_NAMED})|>>>([\w.:-]++)\s*+\Z")
"""Forms whose marks an answer might have: half of one is open, or stops behind its name."""
_PLACE = r"\s*+,\s*+[\"'](?:arguments|parameters|args|input)[\"']\s*+:"
_FENCE = r"```(?:json|tool\w*+)?[^\S\n]*+\n\s*+"
_BARE = re.compile(rf"(?:{_FENCE})?+(?:\{{\s*+[\"']tool_calls[\"']\s*+:\s*+)?+(?:\[\s*+)?+{_NAMED}{_PLACE}")
_CODE = re.compile(r"```tool_code[^\S\n]*+\n\s*+(?:print\()?+([A-Za-z_][\w.]*+)\(")
_FENCE_HEAD = re.compile(r"```[^\n]*+\n")
_CLOSER = re.compile(
    r"</(?:function|tool_calls?|function_calls?|TOOLCALL|(?:seed|minimax):tool_call|invoke)>"
    r"|<tool_call\|>|<\|/tool_call\|>|<\|call\|>|<\|END_ACTION\|>|<\|tools_suffix\|>|<\|tool_call(?:s_section)?_end\|>|<｜tool▁calls?▁end｜>"
)
_HALF_MARK = re.compile(r"<[^<>\s]*+\Z")
_BLANKS = re.compile(r"\s*+")
_NAME_ALONE = re.compile(r"[^\s{(\[]*+")
_GIVEN = re.compile(r"[\w.:-]++\(|[\w.:-]*+\s*+\{|[\w.:-]*+\s*+\[\s*+(?:[\[{\"']|[\w.]*+(?:\(|\Z))|[\w.:-]*+\s*+\[(?:ARGS|CALL_ID)\b")
"""A name, and how arguments begin behind it; a list that holds calls. Words in brackets behind a mark speak of it."""


def name_of_half(said: str, names: Collection[str]) -> str:
    """The tool that an answer begins to call, where it ends in the middle and nothing else is said; empty where it is none.

    1. In tags, which no answer has, a name that can only be one tool's counts too.
    2. In forms that are nothing but JSON, Python or a recipient, a tool's own name alone, and only where a bracket or a fence is open.
    """
    begun = _BEGUN.match(said)  # 1
    written = next(filter(None, begun.groups())) if begun is not None else recipient_of(said)
    if written:
        name = known_name(written, names)
        return name if name in names and not _is_followed(said) else ""
    begun = _OPEN.match(said) or _BARE.match(said) or _CODE.match(said)  # 2
    if begun is None or not _ends_open(said):
        return ""
    written = next(filter(None, begun.groups()))
    return written if written in names else ""


def is_mere_beginning(said: str) -> bool:
    """Whether an answer is the beginning of a call and nothing more: marks, or half of one, and what of a name or of arguments follows."""
    rest = said.strip()
    if rest.startswith(">>>") or is_mere_head(rest):
        return _NAME_ALONE.fullmatch(rest) is not None or is_mere_head(rest)
    if len(rest) > 1 and rest[0] in "<[" and any(tag.startswith(rest) for tag in TAGS):
        return True
    marks = _marks_before(rest)
    behind = _NAME_ALONE.sub("", rest[marks:], count=1).strip()
    is_begun = not behind or _HALF_MARK.fullmatch(behind) is not None
    return marks > 0 and (is_begun or (_GIVEN.match(rest, marks) is not None and is_open(behind)))


def _marks_before(said: str) -> int:
    """Where what stands behind the marks at the beginning begins."""
    place = 0
    while tag := next((tag for tag in TAGS if said.startswith(tag, place)), ""):
        # The bracket of some is the list's.
        blanks = _BLANKS.match(said, place + len(tag.rstrip("[")))
        place = blanks.end() if blanks is not None else len(said)
    return place


def _is_followed(said: str) -> bool:
    """Whether something is said behind the last call: neither another one that begins, nor a mark that stops in the middle."""
    behind = _CLOSER.split(said)[-1].strip() if _CLOSER.search(said) else ""
    return bool(behind) and not behind.startswith(TAGS) and _HALF_MARK.fullmatch(behind) is None


def _ends_open(said: str) -> bool:
    """Whether a fence has no end, or brackets have none."""
    if said.startswith("```"):
        return "```" not in _FENCE_HEAD.sub("", said, count=1)
    return said.startswith(">>>") or is_open(said.removeprefix("functools"))
