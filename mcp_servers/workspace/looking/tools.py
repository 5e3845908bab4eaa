"""The tools that only look: read, list, search."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable
from functools import partial
from typing import Any

from mcp_servers.errors import Refusal
from mcp_servers.protocol.calls import Call, Handler, Outcome
from mcp_servers.workspace import shape
from mcp_servers.workspace.folders.access import Workspace, size_text
from mcp_servers.workspace.folders.textual import Text, body_of, decoded, visible
from mcp_servers.workspace.folders.walking import Walk
from mcp_servers.workspace.looking import ripgrep
from mcp_servers.workspace.looking.searching import MAX_CONTEXT, Search, Wanted
from mcp_servers.workspace.model import Place
from mcp_servers.workspace.shape import Leaf, Span

USUAL_CHARS = 16_000
"""About 4,000 tokens."""
MAX_CHARS = 100_000
USUAL_DEPTH = 3
MAX_DEPTH = 20
MAX_LISTED = 300
MAX_NAMED = 3
"""Files that are named in a note."""
_LINES = re.compile(r"(?:lines? )?(\d{1,9})\s*(?:(-|to|:)\s*(\d{1,9})?)?")


def new_token() -> str:
    """A word for one block, which nothing inside can have known."""
    return secrets.token_hex(12)


class Reading:
    """The tools over one workspace.

    Args:
        workspace: where.
        rg: ripgrep's program, or None; asked for at every search, as it may be installed meanwhile. Absent: the system's.
        token: makes the word around a block.
    """

    def __init__(self, workspace: Workspace, rg: Callable[[], str | None] | None = None, token: Callable[[], str] = new_token) -> None:
        self._workspace = workspace
        self._rg = rg or partial(ripgrep.program, workspace.is_inside)
        self._token = token

    def handlers(self) -> dict[str, Handler]:
        return {"read_file": self.read_file, "list_files": self.list_files, "search_files": self.search_files}

    def read_file(self, call: Call) -> Outcome:
        place = self._workspace.place(call.text("path"))
        content = self._workspace.read(place)
        digest = hashlib.sha256(content.data).hexdigest()
        fields: dict[str, Any] = {"path": place.shown, "sha256": digest, "bytes": len(content.data), "untrusted": True}
        text = decoded(content.data)
        if text is None:
            return Outcome(
                shape.binary_text(visible(place.shown), size_text(len(content.data)), digest), {**fields, "is_text": False}, is_fenced=True
            )
        span = _span(text, call.text("lines"), call.number("max_chars", USUAL_CHARS, MAX_CHARS))
        shown = shape.file_text(visible(place.shown), span, digest, text.described, shape.Fence(self._token(), call.now))
        lines = {"first_line": span.first, "last_line": span.first + len(span.lines) - 1, "total_lines": span.total, "is_cut": span.is_cut}
        return Outcome(
            shown,
            {
                **fields,
                "is_text": True,
                "encoding": text.encoding,
                **lines,
                "untrusted_text": "\n".join(line[: span.max_line] for line in span.lines),
            },
            is_fenced=True,
        )

    def list_files(self, call: Call) -> Outcome:
        depth = call.number("depth", USUAL_DEPTH, MAX_DEPTH)
        is_everything = bool(call.arguments.get("all"))
        tops = self._tops(call.text("path"))
        leaves: list[Leaf] = []
        notes: list[str] = []
        unread: list[str] = []
        ignored = 0
        for top in tops:
            walk = Walk(self._workspace, is_everything=is_everything, max_depth=depth)
            found: list[Leaf] = []
            for step in walk.below(top):
                if len(found) >= MAX_LISTED // len(tops):
                    notes.append(f"{top.shown} holds more. List a folder of it, or less deep.")
                    break
                found.append(Leaf(step.place, step.entry, step.depth, self._note(step.place, step.entry.kind, step.entry.size)))
            ignored += walk.ignored
            unread += walk.unread
            leaves += sorted(found, key=lambda leaf: leaf.place.parts)
        name = tops[0].shown if len(tops) == 1 else "The workspace, " + " and ".join(top.shown for top in tops)
        shown = [leaf if len(tops) == 1 else Leaf(leaf.place, leaf.entry, leaf.depth + 1, leaf.note) for leaf in leaves]
        fields = [{"path": leaf.place.shown, "kind": leaf.entry.kind, "bytes": leaf.entry.size} for leaf in leaves]
        fence = shape.Fence(self._token(), call.now)
        if unread:  # a name may say anything
            names = "\n".join(each.replace("\n", "<U+000A>") for each in unread)
            notes.append(f"Could not be listed:\n{shape.block(fence, names)}")
        text = shape.tree_text(name, shown, ignored, notes, fence)
        return Outcome(text, {"entries": fields, "ignored": ignored, "is_cut": bool(notes), "untrusted": True}, is_fenced=True)

    def search_files(self, call: Call) -> Outcome:
        pattern = call.text("pattern")
        if not pattern or "\n" in pattern:
            raise Refusal("Give a pattern of one line.")
        tops = self._tops(call.text("path"))
        context = call.number("context", 0, MAX_CONTEXT)
        is_regex, ignores_case = bool(call.arguments.get("regex")), bool(call.arguments.get("ignore_case"))
        search = Search(self._workspace, self._rg())
        glob = call.text("glob")
        results = [search.run(Wanted(pattern, top, glob, is_regex, ignores_case, context)) for top in tops]
        matches = [match for result in results for match in result.matches]
        left_out = sum(result.left_out for result in results)
        notes = list(dict.fromkeys(result.stopped for result in results if result.stopped))
        if left_out:
            notes.append(f"Not searched: {left_out} that are no text, too long, secret or not readable.")
        fence = shape.Fence(self._token(), call.now)
        if too_long := sorted(visible(name).replace("\n", "<U+000A>") for result in results for name in result.too_long):
            some = f" ({MAX_NAMED} of {len(too_long)})" if len(too_long) > MAX_NAMED else ""
            names = shape.block(fence, "\n".join(too_long[:MAX_NAMED]))  # a name may say anything
            notes.append(f"Too long to be searched with others{some}, give one as the path:\n{names}")
        if glob and all(result.is_formless for result in results):
            notes.append(f'No file has the form "{visible(glob)}".')
        fields = [
            {"path": match.place.shown, "line": match.number, "untrusted_text": match.line[shape.part_of(match.line, match.start)]}
            for match in matches
        ]
        text = shape.matches_text(pattern, matches, notes, fence)
        return Outcome(
            text, {"count": len(matches), "matches": fields, "is_cut": any(r.stopped for r in results), "untrusted": True}, is_fenced=True
        )

    def _tops(self, said: str) -> list[Place]:
        if said.strip() in {"", "."} and len(self._workspace.roots) > 1:
            return [self._workspace.top(number) for number in range(len(self._workspace.roots))]
        place = self._workspace.place(said)
        self._workspace.check(place)
        return [place]

    def _note(self, place: Place, kind: str, size: int) -> str:
        if kind == "file" and self._workspace.is_secret(place):
            return "secret, left alone"
        return size_text(size) if kind == "file" else ""


def _span(text: Text, said: str, budget: int) -> Span:
    """The lines that were asked for, as far as the budget goes, and one at least."""
    total = len(text.lines)
    first, last = 1, total
    if said:
        match = _LINES.fullmatch(said.strip().lower())
        if match is None or int(match[1]) < 1:
            raise Refusal(f'Cannot understand the lines "{visible(said)}". Say 40-80, or 120-.')
        first = int(match[1])
        last = int(match[3]) if match[3] else total if match[2] else first
    if total and (first > total or last < first):
        raise Refusal(f"The file has {total} lines. Say which of them.")
    taken: list[str] = []
    left = budget
    for line in text.lines[first - 1 : last]:
        body = body_of(line)
        left -= len(body) + 8
        if left < 0 and taken:
            break
        taken.append(body)
    way = ""
    if taken and budget < len(taken[0]) <= MAX_CHARS:
        way = f'Read line {first} whole with lines "{first}" and max_chars {len(taken[0])}.'
    return Span(first, tuple(taken), total, first + len(taken) - 1 < min(last, total), budget, way)
