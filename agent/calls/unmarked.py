"""Calls in forms without marks of their own: lists of Python as Llama writes them, ReAct's lines, Functionary's recipients.

Pure; part of `agent.calls.leaked`, as `agent.calls.dialects` is. Any answer could begin like one of these, so each is read only where it is
the whole answer; and one that ends in the middle keeps what was written of it, for the reader of every call to refuse or to make whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from agent.calls.dialects import Written, python
from agent.calls.mending import mend
from config.vocabulary import is_table

MADE_UP = "the result that it made up was left out"
_LIST = re.compile(r"\[\s*+(?:[A-Za-z_][\w.]*+(?:\(\s*+(?:\).*|[A-Za-z_]\w*+\s*+(?:=.*)?)?)?)?", re.DOTALL)
_LISTED = re.compile(r"\[\s*+([A-Za-z_][\w.]*+)\(")
_RECIPIENT = re.compile(r">{1,3}|>>>[\w.:-]++[^\S\n]*+(?:\n\s*+(?:\{.*)?)?", re.DOTALL)
_SENT = re.compile(r"([\w.:-]++)[^\S\n]*+\n\s*+(\{.*)", re.DOTALL)
_STEP = re.compile(r"^[^\S\n]*\*{0,2}(Thought|Action|Action Input|Final Answer):\*{0,2}", re.MULTILINE)
_OBSERVED = re.compile(r"^[^\S\n]*\*{0,2}Observation:", re.MULTILINE)
_STEPS = ("Thought:", "Action:")
_INPUT = "Action Input:"
_LABELS = (*_STEPS, _INPUT, "Observation:", "Final Answer:")
_NAME_LINE = re.compile(r"[`*\s]*+[\w.:-]*+(?:\(.*)?[`*\s]*+", re.DOTALL)
_NAMED = re.compile(r"([A-Za-z_][\w.]*+)\(")
_FENCED = re.compile(r"```\w*\n(.*)```", re.DOTALL)
_FENCE_BEGUN = re.compile(r"\A```\w*+\s*+")
_BRACKETS = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}


def may_begin(begun: str) -> bool:
    """Whether the beginning of an answer may yet turn out to be one of these forms."""
    return bool(_LIST.fullmatch(begun) or _RECIPIENT.fullmatch(begun)) or _may_be_steps(begun)


def _may_be_steps(begun: str) -> bool:
    bare = begun.lstrip("*")
    if not bare.startswith(_STEPS):
        return any(step.startswith(bare) for step in _STEPS)
    _, *steps = _STEP.split(begun)
    labels = steps[::2]
    if "Action" not in labels:
        return "Final Answer" not in labels
    if labels[-1] != "Action" or labels.count("Action") > 1:
        # What comes behind an input may be made up, and is then no answer either.
        return True
    line, _, rest = steps[-1].lstrip().partition("\n")
    if line[:1] in ("", "{", "`"):
        return True
    rest = rest.lstrip().lstrip("*")
    begins_next = _INPUT.startswith(rest) or any(label.startswith(rest.partition(":")[0]) for label in ("Observation", "Thought"))
    return begins_next and _NAME_LINE.fullmatch(line) is not None


def unmarked(said: str) -> tuple[Written, ...]:
    """The calls of an answer in one of these forms; none where it is an answer."""
    return _listed(said) or tuple(_recipients(said)) or tuple(_steps(said))


def _listed(said: str) -> tuple[Written, ...]:
    """`[NAME(key="text"), …]`: Python without anything that tells that it is a call but a list around it."""
    begun = _LISTED.match(said)
    if begun is None:
        return ()
    # One that was cut off is no Python: it keeps its text, which nobody can read.
    return python(said) or ((Written(begun[1], said),) if is_open(said) else ())


def is_open(code: str) -> bool:
    """Whether Python or JSON ends inside of brackets or quotes."""
    depth, quote, is_escaped = 0, "", False
    for sign in code:
        if quote:
            quote = "" if sign == quote and not is_escaped else quote
            is_escaped = sign == "\\" and not is_escaped
        elif sign in "\"'":
            quote = sign
        else:
            depth += _BRACKETS.get(sign, 0)
            if depth == 0:
                return False
    return True


def _recipients(said: str) -> Iterator[Written]:
    """`>>>NAME`, and its arguments on the next line; one or several."""
    if not said.startswith(">>>"):
        return
    sent = [_SENT.fullmatch(part.strip()) for part in re.split(r"^>>>", said, flags=re.MULTILINE)[1:]]
    named = [each for each in sent if each is not None]
    if len(named) == len(sent) and all(_is_given(each[2]) for each in named):
        yield from (Written(each[1], each[2]) for each in named)


def _steps(said: str) -> Iterator[Written]:
    """`Action: NAME` and `Action Input: {…}`, behind a `Thought:` or not. What a model lets the tool answer itself is not the tool's."""
    done, *made_up = _OBSERVED.split(said, maxsplit=1)
    before, *steps = _STEP.split(_without_half_a_label(done))
    labels, texts = steps[::2], [text.strip() for text in steps[1::2]]
    if before.strip() or "Action" not in labels or "Final Answer" in labels:
        return
    slips = (MADE_UP,) if made_up and made_up[0].strip() else ()
    stepped = zip(labels, texts, _after(labels, texts), strict=True)
    found = [_step(label, text, given) for label, text, given in stepped if label != "Thought"]
    # An input belongs to the action before it, and is read with it.
    if all(call is not None for call in found):
        yield from (Written(call.name, call.arguments, slips) for call in found if call is not None and call.name)


def _without_half_a_label(said: str) -> str:
    """An answer that stops in the middle of a label: all before it."""
    before, _, last = said.rpartition("\n")
    begun = last.strip().lstrip("*")
    return before if begun and any(label.startswith(begun) and label != begun for label in _LABELS) else said


def _after(labels: Sequence[str], texts: Sequence[str]) -> Iterator[str | None]:
    """For each step the input that follows it; None where none does."""
    for place in range(len(labels)):
        is_given = place + 1 < len(labels) and labels[place + 1] == "Action Input"
        yield texts[place + 1] if is_given else None


def _step(label: str, text: str, given: str | None) -> Written | None:
    """The call of one step; one without a name for a step that only belongs to another, None for what is no step of a call.

    1. `Action: NAME`, and what follows as its input: JSON, or one line that is none, which the model is told of.
    2. `Action: {"action": NAME, "action_input": {…}}`, in a fence or not.
    3. `Action: NAME(key="text")`.
    4. `Action: NAME` and nothing more: nobody knows whether an input would have come.
    5. The beginning of 2 or 3: what was written of it, which nobody can read.
    """
    name = text.strip("`* \n").removesuffix("()")
    if label == "Action Input":
        return Written("", "")
    if given is not None:  # 1
        is_line = "\n" not in given and given[:1] not in ("{", "[")
        return Written(name, _fenceless(given) or text) if is_line or _is_given(_fenceless(given)) else None
    if text[:1] in ("{", "`") and "{" in text:  # 2
        return _blob(text)
    code = python(name)
    if len(code) == 1:  # 3
        return code[0]
    begun = _NAMED.match(name)
    if begun is not None and is_open(name[begun.end(1) :]):  # 5
        return Written(begun[1], text)
    return Written(name, text) if re.fullmatch(r"[\w.:-]+", name) else None  # 4


def _fenceless(given: str) -> str:
    fenced = _FENCED.fullmatch(given)
    # One that was cut off has no end by which it is known.
    return fenced[1].strip() if fenced else _FENCE_BEGUN.sub("", given).rstrip("`\n") if given.startswith("```") else given


def _blob(text: str) -> Written | None:
    read = mend(_fenceless(text))
    if read is None or not is_table(read.value):
        return None
    name: Any = read.value.get("action")
    given: Any = read.value.get("action_input", {})
    if not isinstance(name, str):
        return None
    if read.is_open:  # Behind a word, so that what was written of it is not mended and read as the arguments.
        return Written(name, f"Action: {text}")
    return Written(name, given if isinstance(given, str) else json.dumps(given, ensure_ascii=False))


def _is_given(text: str) -> bool:
    """Whether a text is arguments, or the beginning of them."""
    read = mend(text)
    return read is not None and is_table(read.value)
