"""Carrying out the steps of a change, taking them back when one fails, and telling after a crash how far it came.

Each step is checked against the file as it is, at the moment it is made: a step that expects what is no longer there does nothing. A change
is made in the journal's turn, which no other process has meanwhile; so a change that is planned and has no turn is one whose process died.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from mcp_servers.errors import Refusal, Stale
from mcp_servers.workspace import shape
from mcp_servers.workspace.changing.journal import Busy, Journal, Kept
from mcp_servers.workspace.folders.access import Workspace
from mcp_servers.workspace.folders.refusing import told
from mcp_servers.workspace.model import Change, Content, Place, Step

log = logging.getLogger(__name__)

_INVERSE = {"create": "delete", "delete": "create", "make_folder": "remove_folder", "remove_folder": "make_folder"}


def inverse(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps that take these back, in their order."""
    return tuple(_inverse_of(step) for step in reversed(steps))


def _inverse_of(step: Step) -> Step:
    if step.kind == "move" and step.target is not None:
        return replace(step, place=step.target, target=step.place)
    kind = "write" if step.kind == "write" else _INVERSE[step.kind]
    return Step(kind, step.place, before=step.after, after=step.before)  # pyright: ignore[reportArgumentType]


class Stepper:
    """Carries out changes in one workspace, each noted in the journal."""

    def __init__(self, workspace: Workspace, journal: Journal) -> None:
        self._workspace = workspace
        self._journal = journal

    def make(self, change: Change, asked: str) -> Kept:
        """Note a change and do it, all of it or nothing.

        Args:
            change: with a new id.
            asked: the digest of the call that asks for it.

        Raises:
            Stale: a file is no longer what the change is based on.
            Refusal: the system does not allow a step, or another process is changing something.
        """
        with self._journal.turn():
            self._settle()
            return self._carried_out(self._journal.plan(change, asked))

    def finish(self, kept: Kept) -> Kept:
        """Do what is left of a change that the journal has; as `make`. What was done already is not done again."""
        with self._journal.turn():
            return self._carried_out(self._journal.numbered(kept.number) or kept)

    def settle(self) -> None:
        """Finish what a process left that died: done if all of it is there, else taken back. Nothing, while another process is at work."""
        if not self._journal.is_unsettled():
            return
        try:
            with self._journal.turn():
                self._settle()
        except Busy:
            log.info("another process is changing the workspace")

    def _carried_out(self, kept: Kept) -> Kept:
        if kept.state in {"planned", "failed"}:
            if kept.state == "failed":
                self._journal.finish(kept, "planned")  # a crash from here on is to be settled again
            done: list[Step] = []
            try:
                for step in kept.change.steps:
                    if not self._is_done(step):
                        self._make(step)
                    done.append(step)
            except (Refusal, OSError):
                self._take_back(done)
                self._journal.finish(kept, "failed")
                raise
            self._journal.finish(kept, "done")
        return self._journal.numbered(kept.number) or kept

    def _settle(self) -> None:
        for kept in self._journal.unsettled():
            self._sweep(kept)
            done = [step for step in kept.change.steps if self._is_done(step)]
            if len(done) == len(kept.change.steps):
                self._journal.finish(kept, "done")
                continue
            self._take_back(done)
            self._journal.finish(kept, "failed")

    def _sweep(self, kept: Kept) -> None:
        """Remove what the dead process had written and not yet given its name, and the second names that it had given."""
        for folder in dict.fromkeys(self._workspace.above(step.place) for step in kept.change.steps):
            with suppress(OSError):
                self._workspace.files(folder).sweep(folder.parts)
        for step in kept.change.steps:
            if step.kind == "move" and step.target is not None:
                with suppress(OSError):
                    self._workspace.files(step.place).untwin(step.place.parts, self._workspace.files(step.target), step.target.parts)

    def _take_back(self, done: Sequence[Step]) -> None:
        for step in inverse(done):
            try:
                self._make(step)
            except (Refusal, OSError) as error:
                # Somebody else has changed it meanwhile: theirs stays.
                log.warning("%s could not be taken back: %s", step.place.shown, error)

    def _make(self, step: Step) -> None:
        self._workspace.check(step.place)
        files, parts = self._workspace.files(step.place), step.place.parts
        with told(step.place.shown):
            match step.kind:
                case "create":
                    files.create(parts, _of(step.after))
                case "write":
                    _must(files.replace(parts, _of(step.after), _of(step.before).data))
                case "delete":
                    _must(files.remove(parts, _of(step.before).data))
                case "make_folder":
                    files.make_folder(parts, step.after.mode if step.after else None)
                case "remove_folder":
                    files.remove_folder(parts)
                case "move":
                    target = step.target or step.place
                    self._workspace.check(target)
                    files.move(parts, self._workspace.files(target), target.parts)

    def _is_done(self, step: Step) -> bool:
        """Whether what the step would make is there already."""
        match step.kind:
            case "create" | "write":
                return self._holds(step.place, _of(step.after))
            case "make_folder":
                found = self._workspace.look(step.place)
                return found is not None and found.kind == "folder"
            case "delete" | "remove_folder":
                return self._workspace.look(step.place) is None
            case "move":
                return self._workspace.look(step.place) is None and self._workspace.look(step.target or step.place) is not None

    def _holds(self, place: Place, content: Content) -> bool:
        try:
            return self._workspace.read(place, len(content.data)).data == content.data
        except Refusal:
            return False


def _of(content: Content | None) -> Content:
    if content is None:
        raise RuntimeError("a step without its content")
    return content


def _must(is_made: bool) -> None:  # noqa: FBT001 - the answer of the call itself
    if not is_made:
        raise Stale(shape.STALE)
