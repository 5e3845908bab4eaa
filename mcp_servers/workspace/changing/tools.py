"""The tools that change files: every one shows its diff before anything is written, and every one can be undone."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from mcp_servers.errors import Refusal, Stale
from mcp_servers.protocol.calls import Call, Handler, Outcome, Plan
from mcp_servers.workspace import shape
from mcp_servers.workspace.changing.basing import is_stale, version_of
from mcp_servers.workspace.changing.journal import Journal, Kept
from mcp_servers.workspace.changing.patch import counts, parsed, unified
from mcp_servers.workspace.changing.planning import Planner
from mcp_servers.workspace.changing.stepping import Stepper
from mcp_servers.workspace.changing.undoing import undoing
from mcp_servers.workspace.folders.access import Workspace, size_text
from mcp_servers.workspace.folders.textual import decoded, visible
from mcp_servers.workspace.model import Change, Content, Place, Step

MAX_LISTED = 20
_NUMBER = re.compile(r"(?:change )?c?(\d{1,9})")
_NEWEST = frozenset({"", "last", "newest", "latest"})
_LABELS = {
    **{"write": "Change", "create": "New file", "delete": "Delete"},
    **{"make_folder": "New folder", "remove_folder": "Delete folder", "move": "Move"},
}
Lines = tuple[tuple[str, str], ...]


class Changing:
    """The tools over one workspace and its journal."""

    def __init__(self, workspace: Workspace, journal: Journal, token: Callable[[], str], file_mode: int = 0o644) -> None:
        self._workspace = workspace
        self._journal = journal
        self._planner = Planner(workspace, file_mode)
        self._stepper = Stepper(workspace, journal)
        self._token = token

    def handlers(self) -> dict[str, Handler]:
        return {
            "list_changes": self.list_changes,
            "edit_file": self.edit_file,
            "apply_patch": self.apply_patch,
            "create_file": self.create_file,
            "move_file": self.move_file,
            "delete_file": self.delete_file,
            "undo_change": self.undo_change,
        }

    def list_changes(self, call: Call) -> Outcome:
        self._stepper.settle()
        kept = self._journal.newest(MAX_LISTED)
        lines = [_listed(each, call) for each in kept]
        fields = [{"change": f"c{each.number}", "title": each.change.title, "undone": each.state == "undone"} for each in kept]
        text = shape.block(shape.Fence(self._token(), call.now), "\n".join(lines)) if lines else shape.NO_CHANGES
        return Outcome(text, {"changes": fields, "untrusted": True}, is_fenced=True)

    def edit_file(self, call: Call) -> Plan:
        if known := self._known(call, "edit_file"):
            return known
        place = self._workspace.place(call.text("path"))
        old, new = call.text("old_text"), call.text("new_text")
        is_everywhere = bool(call.arguments.get("all"))
        plan = partial(self._planner.edit, place, old, new, is_everywhere=is_everywhere)
        arguments: dict[str, Any] = {"path": place.shown, "old_text": old, "new_text": new} | ({"all": True} if is_everywhere else {})
        return self._plan(call, "edit_file", f"Edit {place.shown}", plan, arguments)

    def apply_patch(self, call: Call) -> Plan:
        if known := self._known(call, "apply_patch"):
            return known
        patch = call.text("patch")
        names = [self._workspace.place(part.path).shown for part in parsed(patch)]
        title = f"Patch {', '.join(names[:3])}" + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        return self._plan(call, "apply_patch", title, partial(self._planner.patch, patch), {"patch": patch})

    def create_file(self, call: Call) -> Plan:
        if known := self._known(call, "create_file"):
            return known
        place = self._workspace.place(call.text("path"))
        plan = partial(self._planner.create, place, call.text("text"))
        return self._plan(call, "create_file", f"Create {place.shown}", plan, {"path": place.shown, "text": call.text("text")})

    def move_file(self, call: Call) -> Plan:
        if known := self._known(call, "move_file"):
            return known
        place, target = self._workspace.place(call.text("path")), self._workspace.place(call.text("to"))
        plan = partial(self._planner.move, place, target)
        return self._plan(call, "move_file", f"Move {place.shown} to {target.shown}", plan, {"path": place.shown, "to": target.shown})

    def delete_file(self, call: Call) -> Plan:
        if known := self._known(call, "delete_file"):
            return known
        place = self._workspace.place(call.text("path"))
        plan = partial(self._planner.delete, place)
        return self._plan(call, "delete_file", f"Delete {place.shown}", plan, {"path": place.shown})

    def undo_change(self, call: Call) -> Plan:
        if known := self._known(call, "undo_change"):
            return known
        self._stepper.settle()
        kept = self._meant(call.text("change").lower())
        name = f"c{kept.number}"

        def plan() -> list[Step]:
            return undoing(self._workspace, self._meant(name))

        return self._plan(call, "undo_change", f"Undo {name} ({kept.change.title})", plan, {"change": name}, undoes=kept.number)

    def _plan(
        self, call: Call, tool: str, title: str, plan: Callable[[], Sequence[Step]], arguments: dict[str, Any],
        *, undoes: int | None = None,
    ) -> Plan:  # fmt: skip
        steps = plan()
        if call.host_text("version") and is_stale(call.host_text("version"), steps):
            raise Stale(shape.STALE)
        version = version_of(steps)
        uid = call.host_text("uid") or str(uuid.uuid4())
        title = visible(title)
        diff = _diff(steps)

        def execute() -> Outcome:
            kept = self._journal.of_uid(uid, _asked(tool, call))
            if kept is not None:
                return self._done(self._stepper.finish(kept), diff)
            # Another call may have been carried out since this one was looked at: what stands elsewhere in the file by now is kept.
            now = plan()
            is_same = tuple(now) == tuple(steps)
            if not is_same and is_stale(version, now):
                raise Stale(shape.STALE)
            change = Change(uid, title, tuple(now), undoes)
            return self._done(self._stepper.make(change, _asked(tool, call)), diff if is_same else _diff(now))

        lines = (*((label, visible(text)) for label, text in _named(steps)), *((("Diff", diff),) if diff else ()))
        if call.arguments.get("preview"):
            shown = Outcome(
                f"Preview, nothing was written: {title}\n{shape.block(shape.Fence(self._token(), call.now), shape.diff_text(diff))}",
                {"is_preview": True, "untrusted_diff": diff, "untrusted": True},
                is_fenced=True,
            )
            return Plan({**arguments, "preview": True}, f"Preview: {title}", lines, lambda: shown, host={"uid": uid})
        return Plan(arguments, title, lines, execute, host={"uid": uid, "version": version})

    def _known(self, call: Call, tool: str) -> Plan | None:
        """The change of this id: it is finished, or has been already, and its files are not looked for again."""
        kept = self._journal.of_uid(call.host_text("uid"), _asked(tool, call))
        if kept is None:
            return None
        diff = _diff(kept.change.steps)

        def execute() -> Outcome:
            return self._done(self._stepper.finish(kept), diff)

        return Plan(call.arguments, kept.change.title, _named(kept.change.steps), execute, host=call.host)

    def _done(self, kept: Kept, diff: str) -> Outcome:
        added, removed = _size(kept.change.steps)
        fields = {"change": f"c{kept.number}", "title": kept.change.title, "untrusted_diff": diff, "untrusted": True}
        return Outcome(shape.changed_text(kept.change.title, kept.number, added, removed), fields, is_fenced=True)

    def _meant(self, said: str) -> Kept:
        match = _NUMBER.fullmatch(said)
        if match is None and said not in _NEWEST:
            raise Refusal(f'There is no change "{visible(said)}". Look at list_changes.')
        kept = self._journal.numbered(int(match[1])) if match else self._journal.undoable()
        if kept is None or kept.state in {"planned", "failed"}:
            raise Refusal(f"There is no change c{match[1]}. Look at list_changes." if match else shape.NOTHING_TO_UNDO)
        if kept.state == "undone":
            raise Refusal(f"c{kept.number} was undone already. Look at list_changes.")
        return kept


def _asked(tool: str, call: Call) -> str:
    """The digest of a call as it came."""
    return hashlib.sha256(json.dumps([tool, dict(call.arguments)], sort_keys=True).encode()).hexdigest()


def _diff(steps: Sequence[Step]) -> str:
    """All files of a change as one unified diff, whole: it is what a person is asked about."""
    return "\n".join(filter(None, (_step_diff(step) for step in steps)))


def _step_diff(step: Step) -> str:
    if step.kind not in {"create", "write", "delete"}:
        return ""
    texts = [_lines(content) for content in (step.before, step.after)]
    if texts[0] is None or texts[1] is None:
        return f"{visible(step.place.shown)}: no text, {size_text(len((step.after or step.before or Content(b'', 0)).data))}"
    return unified(texts[0], texts[1], visible(step.place.shown))


def _lines(content: Content | None) -> tuple[str, ...] | None:
    text = decoded(content.data) if content is not None else None
    return () if content is None else text.lines if text is not None else None


def _size(steps: Sequence[Step]) -> tuple[int, int]:
    sizes = [counts(_lines(step.before) or (), _lines(step.after) or ()) for step in steps if step.kind in {"create", "write", "delete"}]
    return sum(size[0] for size in sizes), sum(size[1] for size in sizes)


def _named(steps: Sequence[Step]) -> Lines:
    """Each thing that a change does, for the person who is asked."""
    return tuple((_LABELS[step.kind], _what(step.place, step.target)) for step in steps)


def _what(place: Place, target: Place | None) -> str:
    return f"{place.shown} to {target.shown}" if target else place.shown


def _listed(kept: Kept, call: Call) -> str:
    at = datetime.fromtimestamp(kept.at, UTC).astimezone(call.now.tzinfo)
    return f"c{kept.number} {at:%a} {at.day} {at:%b} {at.year} {at:%H:%M} {visible(kept.change.title)}" + (
        " (undone)" if kept.state == "undone" else ""
    )
