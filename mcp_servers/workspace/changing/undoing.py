"""What undoing a change would do, as long as nobody has changed the same files since; else a refusal that shows what would be lost."""

from __future__ import annotations

from collections.abc import Sequence

from mcp_servers.errors import Quoting, Refusal
from mcp_servers.workspace.changing.journal import Kept
from mcp_servers.workspace.changing.patch import unified
from mcp_servers.workspace.changing.stepping import inverse
from mcp_servers.workspace.folders.access import Workspace
from mcp_servers.workspace.folders.textual import decoded, visible
from mcp_servers.workspace.model import Place, Step
from mcp_servers.workspace.shape import diff_text


def undoing(workspace: Workspace, kept: Kept) -> list[Step]:
    """The steps that take a change back.

    Raises:
        Refusal: a file is another by now; a diff shows how.
    """
    steps = inverse(kept.change.steps)
    taken = {step.place for step in steps if step.kind in {"delete", "remove_folder", "move"}}
    kept_steps = [step for step in steps if step.kind != "remove_folder" or _is_left_empty(workspace, step.place, taken)]
    for step in kept_steps:
        _check(workspace, step, kept, kept_steps)
    return kept_steps


def _check(workspace: Workspace, step: Step, kept: Kept, steps: Sequence[Step]) -> None:
    if step.kind in {"write", "delete"}:
        _check_unchanged(workspace, step, kept)
    elif step.kind in {"create", "make_folder"}:
        found = workspace.look(step.place) if _is_above_there(workspace, step.place, steps) else None
        if found is not None and not (step.kind == "make_folder" and found.kind == "folder"):
            raise Refusal(f"{step.place.shown} is there again since c{kept.number}. Move it away first.")
    elif step.kind == "move":
        if workspace.look(step.place) is None:
            raise Refusal(_gone(step, kept))
        if step.target is not None and workspace.look(step.target) is not None:
            raise Refusal(f"{step.target.shown} is there again since c{kept.number}. Move it away first.")


def _check_unchanged(workspace: Workspace, step: Step, kept: Kept) -> None:
    if workspace.look(step.place) is None:
        raise Refusal(_gone(step, kept))
    now = workspace.read(step.place).data
    expected = step.before.data if step.before else b""
    if now == expected:
        return
    texts = decoded(expected), decoded(now)
    diff = unified(texts[0].lines, texts[1].lines, visible(step.place.shown)) if texts[0] and texts[1] else "(no text)"
    raise Quoting(
        f"{step.place.shown} has changed since c{kept.number}. Edit it instead, because undoing it would lose this:\n{diff_text(diff)}"
    )


def _gone(step: Step, kept: Kept) -> str:
    return f"{step.place.shown} is not there any more, so c{kept.number} cannot be undone. Look with list_files."


def _is_above_there(workspace: Workspace, place: Place, steps: Sequence[Step]) -> bool:
    """Whether the folder above is there, and not one that the undoing itself makes again."""
    above = workspace.above(place)
    return not any(step.kind == "make_folder" and step.place == above for step in steps) or workspace.look(above) is not None


def _is_left_empty(workspace: Workspace, folder: Place, taken: set[Place]) -> bool:
    """Whether nothing stays in a folder that the change had made."""
    if workspace.look(folder) is None:
        return False
    return all(workspace.below(folder, entry.name) in taken for entry in workspace.entries(folder))
