"""Every refusal of the calendars, the web search, the workspace, the log-in and the protocol is a sentence, and says what to do next."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from mcp_servers.workspace.changing.patch import _REFUSED  # pyright: ignore[reportPrivateUsage]
from mcp_servers.workspace.folders.refusing import _SENTENCES  # pyright: ignore[reportPrivateUsage]

ROOT = Path(__file__).parents[2] / "mcp_servers"
ROOMS = ("accounts", "calendars", "outside", "protocol", "searxng", "when", "workspace")
REFUSALS = set("Refusal Quoting Stale Missing Exists Busy Unanswered Failed NotUnderstood LoginNeeded Unavailable BindRefused".split())
WHAT_TO_DO = re.compile(
    r"\b(?:Give|Name|Choose|Look|Read|Say|Try|Run|Use|Set|Ask|Make|Search|Mend|Leave|Begin|Copy|Write|Move|Add|Edit|Open|Create|End|Unlock|Check|Delete|Enable|Install|Call|Store|Change|Keep|Do)\b"
    r"|\b(?:The person (?:can|must)|must (?:be|stand)|begins one)\b|[:;] (?:ask|give|look|name|put|say|set)\b|run the command again"
)
"""An order, who can do it, or what is right instead."""
OF_ANOTHER = re.compile(r"… Nothing was \w+\.")
"""Said behind what a server answered, which says what to do."""
OF_EVERYDAY = {'… has no parameter "…". It takes ….', "… needs …."}
"""They say what is right instead, and stay as they are: the tools that the small model was trained on give them."""

Known = dict[str, list[ast.expr]]
"""What names stand for: a constant's value, or all that a function returns."""


def _texts(node: ast.expr, known: Known) -> Iterator[str]:
    """What an expression may say, as far as it is written down here; `…` where a value goes."""
    match node:
        case ast.Constant(value=str() as text):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else _filled(part, known) for part in parts)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            yield "".join([*_texts(left, known), *_texts(right, known)])
        case ast.IfExp(body=body, orelse=orelse):
            yield from [*_texts(body, known), *_texts(orelse, known)]
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in known:
            for meant in known[name]:
                yield from _texts(meant, known)
        case _:
            return


def _filled(part: ast.expr, known: Known) -> str:
    """A constant of the file in its place; `…` for any other value."""
    match part:
        case ast.FormattedValue(value=ast.Name(id=name)) if name.isupper():
            return next((text for meant in known.get(name, []) for text in _texts(meant, known)), "…")
        case _:
            return "…"


def _known(tree: ast.Module) -> Known:
    known: Known = {}
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name.isupper():
                known[name] = [value]
            case ast.FunctionDef(name=name) if name.endswith("_text"):
                known[name] = [each.value for each in ast.walk(node) if isinstance(each, ast.Return) and each.value]
            case _:
                pass
    return known


def _refusals() -> Iterator[tuple[str, str]]:
    files = [file for room in ROOMS for file in (ROOT / room).rglob("*.py")]
    trees = {file: ast.parse(file.read_text(encoding="utf-8")) for file in files}
    shared: Known = {}
    for tree in trees.values():
        shared |= {name: values for name, values in _known(tree).items() if name.isupper()}
    for file, tree in sorted(trees.items()):
        known = shared | _known(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in REFUSALS and node.args:
                texts = {*_texts(node.args[0], known)} - {"The patch ….", *OF_EVERYDAY}
                yield from ((f"{file.parent.name}/{file.name}", text) for text in sorted(texts))


TEXTS = [*_refusals(), *(("the system", text) for text in _SENTENCES.values()), *(("a patch", f"It {text}.") for text in _REFUSED.values())]


def is_told_elsewhere(text: str) -> bool:
    """Its own end, or what stands before it, is a sentence that is looked at by itself."""
    return text.endswith("…") or OF_ANOTHER.fullmatch(text) is not None


def test_they_are_found() -> None:
    assert len(TEXTS) > 200


def test_a_refusal_is_a_sentence_that_says_what_to_do_next() -> None:
    assert [told for told in TEXTS if not WHAT_TO_DO.search(told[1]) and not is_told_elsewhere(told[1])] == []
    assert [told for told in TEXTS if not told[1].rstrip("\n…").endswith((".", ":", "`")) and not told[1].endswith("…")] == []
