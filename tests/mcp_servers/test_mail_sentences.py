"""Every refusal of the mail server and of the outbox says what to do next, whoever raises it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2] / "mcp_servers"
RAISED = {"Refusal", "Quoting", "Stale", "AccountFailed", "AccountAway", "NotAll", "NotSent", "TurnedDown"}
WHAT_TO_DO = re.compile(
    r"\b(?:Ask|Choose|Give|Leave|Look|Move|Name|Open|Put|Read|Say|Send|Set|Try|Write)\b|\bwith a mail program\b|\bvariet (?:chat|login)\b"
)
TOLD_BY_SOMEBODY_ELSE = re.compile(r"…|…: … ?…?|… … … …|… Nothing was sent\.|…: … Nothing was sent\.|…: … The mail was not …\.")
"""What is passed on was a sentence already."""


def _texts(node: ast.expr, known: dict[str, ast.expr]) -> Iterator[str]:
    """What an expression may say, as far as it is written down; `…` where a value goes."""
    match node:
        case ast.Constant(value=str() as text):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(next(_texts(part, known), "…") for part in parts)
        case ast.FormattedValue(value=value):
            yield next(_texts(value, known), "…")
        case ast.IfExp(body=body, orelse=orelse):
            yield from [*_texts(body, known), *_texts(orelse, known)]
        case ast.BoolOp(values=values):
            yield from _texts(values[-1], known)
        case ast.Name(id=name) if name in known:
            yield from _texts(known[name], known)
        case _:
            return


def _told() -> list[tuple[str, str]]:
    files = sorted(file for room in ("mail", "mailbox", "outbox") for file in (ROOT / room).glob("*.py"))
    trees = {file: ast.parse(file.read_text(encoding="utf-8")) for file in files}
    known = {
        target.id: node.value
        for tree in trees.values()
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id.lstrip("_").isupper()
    }
    return [
        (f"{file.parent.name}/{file.name}", text)
        for file, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in RAISED and node.args
        for text in sorted({*_texts(node.args[0], known)})
    ]


TOLD = [told for told in _told() if not TOLD_BY_SOMEBODY_ELSE.fullmatch(told[1])]


def test_they_are_found() -> None:
    assert len(TOLD) > 60
    assert {file.partition("/")[0] for file, _ in TOLD} == {"mail", "mailbox", "outbox"}


def test_a_refusal_is_a_sentence_that_says_what_to_do_next() -> None:
    assert [told for told in TOLD if not WHAT_TO_DO.search(told[1])] == []
    assert [told for told in TOLD if not told[1].endswith((".", "…"))] == []
