"""Every refusal of the web search, the workspace and the log-in is a sentence, and says what to do next."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from mcp_servers.workspace.patch import _REFUSED  # pyright: ignore[reportPrivateUsage]
from mcp_servers.workspace.refusing import _SENTENCES  # pyright: ignore[reportPrivateUsage]

ROOT = Path(__file__).parents[2] / "mcp_servers"
REFUSALS = {"Refusal", "Quoting", "Stale", "LoginNeeded", "Unavailable", "Busy"}
WHAT_TO_DO = re.compile(
    r"\b(?:Give|Name|Choose|Look|Read|Say|Try|Run|Use|Set|Ask|Make|Search|Mend|Leave|Begin|Copy|Write|Move|Add|Edit|Open|Create|End|Unlock)\b"
    r"|\b(?:The person (?:can|must)|must (?:be|stand)|begins one)\b|[:;] (?:give|name|say|set)\b|run the command again"
)
"""An order, who can do it, or what is right instead."""
NOTHING_TO_DO = {"Nothing was changed yet."}
INSTALL = 'This needs "…", which is not installed. …'
"""What follows is the command."""


def _texts(node: ast.expr, known: dict[str, ast.expr]) -> Iterator[str]:
    """What an expression may say, as far as it is written down here; `…` where a value goes."""
    match node:
        case ast.Constant(value=str() as text):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in parts)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            yield "".join([*_texts(left, known), *_texts(right, known)])
        case ast.IfExp(body=body, orelse=orelse):
            yield from [*_texts(body, known), *_texts(orelse, known)]
        case ast.Name(id=name) if name in known:
            yield from _texts(known[name], known)
        case ast.Attribute(attr=name) if name in known:
            yield from _texts(known[name], known)
        case _:
            return


def _refusals() -> Iterator[tuple[str, str]]:
    files = [*(ROOT / "workspace").glob("*.py"), *(ROOT / "searxng").glob("*.py"), *((ROOT / "accounts").glob("[kl]*.py"))]
    trees = {file: ast.parse(file.read_text(encoding="utf-8")) for file in files}
    known = {
        target.id: node.value
        for tree in trees.values()
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id.isupper()
    }
    for file, tree in sorted(trees.items()):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in REFUSALS and node.args:
                texts = {*_texts(node.args[0], known)} - {"The patch ….", INSTALL, *NOTHING_TO_DO}
                yield from ((f"{file.parent.name}/{file.name}", text) for text in sorted(texts))


TEXTS = [*_refusals(), *(("the system", text) for text in _SENTENCES.values()), *(("a patch", f"It {text}.") for text in _REFUSED.values())]


def test_they_are_found() -> None:
    assert len(TEXTS) > 90


def test_a_refusal_is_a_sentence_that_says_what_to_do_next() -> None:
    assert [told for told in TEXTS if not WHAT_TO_DO.search(told[1]) and not told[1].endswith("…")] == []
    assert [told for told in TEXTS if not told[1].rstrip("\n…").endswith((".", ":", "`")) and not told[1].endswith("…")] == []
