"""The forms of a call that belong to one family of models and look like nothing else: Gemma's, GLM's, Python's.

Pure; part of `agent.calls.leaked`, which decides whether what was found is a call at all. Each reads a whole answer, and gives a name with
its arguments as JSON for every call in it, or nothing.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from agent.calls.mending import TWICE, loads, mend

OPENERS = ("<|tool_call>", "<tool_call>")
"""How they begin, where that is not Python."""
MOST_CHARS = 20_000
"""Of Python that is looked at: a call is shorter."""
_GEMMA = re.compile(r"<\|tool_call>\s*call:([\w.:-]+)\s*(\{.*?\})\s*(?:<tool_call\|>|\Z)", re.DOTALL)
_GEMMA_QUOTE = '<|"|>'
_PAIR = r"<arg_key>([^<]*)</arg_key>\s*<arg_value>((?:(?!</arg_value>).)*)</arg_value>\s*"
_GLM = re.compile(rf"<tool_call>\s*([\w.:-]+)\s*((?:{_PAIR})*)</tool_call>", re.DOTALL)
_GLM_PAIR = re.compile(_PAIR, re.DOTALL)

_WORDS: Mapping[str, bool | None] = {"true": True, "false": False, "null": None}


class Written(NamedTuple):
    """A call as it was found."""

    name: str
    arguments: str
    slips: tuple[str, ...] = ()
    """What of it was dropped."""


def table(pairs: Iterable[tuple[str, Any]]) -> str:
    """Arguments as JSON, as they were written: of two with one name both, for the reader of every call to tell of.

    Raises:
        ValueError, TypeError: JSON has no such value.
    """
    written = (f"{json.dumps(key, ensure_ascii=False)}: {json.dumps(value, ensure_ascii=False, allow_nan=False)}" for key, value in pairs)
    return f"{{{', '.join(written)}}}"


def literal(value: str) -> Any:
    """Only structures are read as JSON: `5` may be a text, and the schema says which."""
    twice: list[str] = []
    if value[:1] in ("{", "["):
        try:
            read = loads(value, twice)
        except (ValueError, RecursionError):
            return value
        # What is named twice in it stays as written, for the schema's reader to tell of.
        return value if twice else read
    return value


def dropping(slips: Iterable[str]) -> tuple[str, ...]:
    """Those of a reader's slips that the call's own reader cannot see any more; the others are how the form is written."""
    return tuple(slip for slip in slips if slip.endswith(TWICE))


def gemma(said: str) -> tuple[Written, ...]:
    """`<|tool_call>call:NAME{key:<|"|>text<|"|>,other:5}<tool_call|>`: JSON but for its quotes and the names without any."""
    if _GEMMA.sub("", said).strip():
        return ()
    read = [(name, mend(_with_quotes(arguments))) for name, arguments in _GEMMA.findall(said)]
    whole = [
        Written(name, json.dumps(each.value, ensure_ascii=False), dropping(each.slips))
        for name, each in read
        if each is not None and not each.is_open
    ]
    return tuple(whole) if len(whole) == len(read) else ()


def glm(said: str) -> tuple[Written, ...]:
    """`<tool_call>NAME<arg_key>key</arg_key><arg_value>text</arg_value></tool_call>`: each value a text, as its schema reads it."""
    if _GLM.sub("", said).strip():
        return ()
    calls = ((found[1], _GLM_PAIR.findall(found[2])) for found in _GLM.finditer(said))
    return tuple(Written(name, table((key.strip(), value) for key, value in pairs)) for name, pairs in calls)


def python(code: str) -> tuple[Written, ...]:
    """`NAME(key="text")`, one on a line, in a list or in `print`: of such names and plain values alone, never run."""
    if not code.strip() or len(code) > MOST_CHARS:
        return ()
    try:
        body = _JsonWords().visit(_parsed(code.strip())).body
        return tuple(_call(each) for line in body for each in _calls(line))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()


def _parsed(code: str) -> ast.Module:
    """Python that a model wrote: what its compiler has to say of odd escapes in it is no word for the person's terminal."""
    with warnings.catch_warnings():
        # A kind of deprecation before 3.12. A program that has warnings be errors would else refuse the call.
        for kind in (SyntaxWarning, DeprecationWarning):
            warnings.filterwarnings("ignore", r'(?:".*" is an )?invalid (?:octal )?escape sequence', kind)
        return ast.parse(code)


class _JsonWords(ast.NodeTransformer):
    """JSON's words in Python, as some models write them."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Constant(_WORDS[node.id]) if node.id in _WORDS else node


def _with_quotes(arguments: str) -> str:
    parts = arguments.split(_GEMMA_QUOTE)
    return "".join(json.dumps(part, ensure_ascii=False) if place % 2 else part for place, part in enumerate(parts))


def _calls(line: ast.stmt) -> list[ast.expr]:
    if not isinstance(line, ast.Expr):
        raise ValueError("not a call")
    value = line.value
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "print" and len(value.args) == 1:
        value = value.args[0]
    return value.elts if isinstance(value, ast.List) else [value]


def _call(value: ast.expr) -> Written:
    if not isinstance(value, ast.Call) or value.args or any(each.arg is None for each in value.keywords):
        raise ValueError("not a call with named values")
    given: list[tuple[str, Any]] = [(str(each.arg), ast.literal_eval(each.value)) for each in value.keywords]
    try:
        return Written(ast.unparse(value.func), table(given))
    except TypeError as error:
        raise ValueError("a value that JSON has not") from error
