"""Keep conversations warm over swaps: the owner of the slot tables and of what is saved of them.

The supervisor asks it to save before a stop and to restore after a start; the proxy asks it for a request's slot. Both stages are bounded,
and no failure of theirs ever holds up a swap: it is logged, said in the status, and the conversation is read anew.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import anyio
import anyio.to_thread

from inference.catalog import ModelSpec
from inference.contract import WarmthStatus
from inference.errors import EngineError
from inference.upstream.address import NOWHERE, Address
from inference.upstream.tap import Measured
from inference.upstream.wire import Connections
from inference.warmth import records, server_slots, slots
from inference.warmth.ahead import Ahead, Identify
from inference.warmth.berth import NO_BERTH, Berth
from inference.warmth.records import Saved
from inference.warmth.server_slots import SlotRefused
from inference.warmth.shelf import Shelf
from inference.warmth.slots import Table
from inference.warmth.trail import Counted, Mark, Trail, counted, mark_of

STAGE_BOUND_S = 15.0
"""For all slots of one model: a person waits for the swap. What is not done by then stays cold."""
URGENT_BOUND_S = 2.0
"""The same where a person forces the model out: enough for some gigabytes, and all that a server that hangs can cost them."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Notes:
    """What is said of one model."""

    identity: str = ""
    address: Address = NOWHERE
    trouble: str | None = None
    save_ms: float | None = None
    restore_ms: float | None = None
    reused: float | None = None
    verdict: records.Verdict | None = None


class _OwnBerth(Berth):
    """One request's slot, for as long as the request lasts."""

    def __init__(self, keeper: Keeper, model: str, request: str, trail: Trail | None, taken: slots.Taken) -> None:
        self._keeper = keeper
        self._model = model
        self._request = request
        self._trail = trail
        self._expected = taken.expected
        self.slot = taken.slot

    async def learn(self, measured: Measured) -> None:
        """What the answer said shows what the slot holds now, and whether a restore worked."""
        answered = counted(measured.usage, measured.timings)
        self._keeper.give_back(self._model, self._request, mark_of(self._trail, answered))
        if self._expected is not None and answered is not None:
            # The client has its answer and may leave; what was found out must outlive that.
            with anyio.move_on_after(STAGE_BOUND_S, shield=True):
                await self._keeper.conclude(self._model, self._expected, answered)


class Keeper:
    """One engine's. Without a shelf conversations keep their slots, and nothing is saved."""

    def __init__(
        self,
        shelf: Shelf | None = None,
        identify: Identify = lambda spec: spec.name,
        connections: Connections | None = None,
    ) -> None:
        """`connections` are best the proxy's own: the first request then finds the one open that the restore was asked over."""
        self._shelf = shelf
        self._ahead = Ahead(identify)
        self._connections = connections or Connections()
        self._tables: dict[str, Table] = {}
        self._notes: dict[str, _Notes] = {}
        self._is_open = False
        self._one_at_a_time = anyio.Lock()

    # --- the stages of a swap -----------------------------------------------------------------------------------------------------------

    async def save(self, spec: ModelSpec, bound_s: float = STAGE_BOUND_S) -> None:
        """Save what the model's slots hold, the latest first, before it stops. Never raises, and is done within `bound_s`."""
        table = self._tables.pop(spec.name, None)
        if table is None or not any(slots.to_save(table)):
            return

        async def work(shelf: Shelf) -> None:
            if self._is_tried(spec.name, shelf):
                for slot, session, mark in slots.to_save(table):
                    await self._save_slot(shelf, spec.name, slot, session, mark)

        await self._stage(spec, "save_ms", work, bound_s)

    async def foresee(self, spec: ModelSpec) -> None:
        """A model has begun to load: find out what there is to restore. Never raises; the restore will say what is wrong."""
        if self._shelf is None or not spec.warm:
            return
        with contextlib.suppress(OSError, EngineError):
            async with self._one_at_a_time:
                await self._opened()
                identity = await self._ahead.look(spec)
            self._ahead.fetch([self._shelf.folder / each.file for each in _latest(self._shelf, spec, identity)])

    async def restore(self, spec: ModelSpec, address: Address) -> None:
        """Restore the latest conversations of a model that has just been loaded; otherwise as `save`."""
        self._tables[spec.name] = slots.empty(spec.slots)
        self._note(spec.name, address=address, trouble=None)

        async def work(shelf: Shelf) -> None:
            self._note(spec.name, identity=(identity := await self._ahead.identity(spec)))
            for slot, record in enumerate(_latest(shelf, spec, identity)):
                await self._restore_slot(shelf, spec.name, slot, record)

        await self._stage(spec, "restore_ms", work)

    def leave(self, port: int) -> None:
        """A model's server is about to stop."""
        self._connections.hang_up(port)

    async def forget(self, session: str) -> int:
        """Delete what is saved of a conversation and free its slots; how many files there were.

        Raises:
            OSError: they could not be deleted.
        """
        # Not beside a stage, which might bring back a moment later what is forgotten here.
        async with self._one_at_a_time:
            await self._free_slots(session)
            shelf = await self._opened()
            return 0 if shelf is None else await anyio.to_thread.run_sync(shelf.discard, records.of_session(shelf.ledger, session))

    # --- requests -----------------------------------------------------------------------------------------------------------------------

    @contextmanager
    def berth(self, spec: ModelSpec, request: str, session: str | None, trail: Trail | None) -> Iterator[Berth]:
        """A slot for a request, if it belongs to a conversation; given back at the end of the context."""
        table = self._tables.get(spec.name) or slots.empty(spec.slots)
        if session is None:
            self._tables[spec.name] = slots.disturb(table)
            yield NO_BERTH
            return
        taken = slots.take(table, session, request, trail)
        self._tables[spec.name] = taken.table
        try:
            yield _OwnBerth(self, spec.name, request, trail, taken)
        finally:
            self.give_back(spec.name, request, None)

    def give_back(self, model: str, request: str, mark: Mark | None) -> None:
        """A request is over. Safe to repeat."""
        if table := self._tables.get(model):
            self._tables[model] = slots.give_back(table, request, mark)

    async def conclude(self, model: str, expected: int, answered: Counted) -> None:
        """The first answer after a restore shows whether it worked; a model where it does not is not tried again."""
        verdict = records.judge(expected, answered)
        notes = self._note(model, reused=round(min(1.0, answered.cached / max(expected, 1)), 4), verdict=verdict)
        _LOG.info("%s: %d of %d restored tokens were used (%s)", model, answered.cached, expected, verdict)
        if verdict == "unsupported":
            reason = f"after a restore {answered.cached} of {expected} tokens were used: its kind of cache cannot be restored"
            try:
                async with self._one_at_a_time:
                    await self._give_up(notes.identity, reason)
            except OSError as error:
                self._complain(model, str(error))

    def status(self, spec: ModelSpec) -> WarmthStatus:
        """One model's line of the status."""
        notes = self._notes.get(spec.name, _Notes())
        if self._shelf is None or not spec.warm:
            return WarmthStatus(state="off")
        kept = records.of_model(self._shelf.ledger, notes.identity)
        reason = self._shelf.ledger.unsupported.get(notes.identity)
        return WarmthStatus(
            state="on" if reason is None else "unsupported",
            reason=reason or notes.trouble,
            saved=len(kept),
            saved_mib=round(sum(each.size for each in kept) / 2**20, 1),
            save_ms=notes.save_ms,
            restore_ms=notes.restore_ms,
            reused=notes.reused,
        )

    # --- inside -------------------------------------------------------------------------------------------------------------------------

    async def _stage(self, spec: ModelSpec, timed: str, work: Callable[[Shelf], Awaitable[None]], bound_s: float = STAGE_BOUND_S) -> None:
        """One bounded stage; every failure of it becomes a word in the status. Nothing where nothing is kept for this model."""
        if self._shelf is None or not spec.warm:
            return
        began = anyio.current_time()
        with anyio.move_on_after(bound_s) as scope:
            try:
                async with self._one_at_a_time:
                    await self._opened()
                    await work(self._shelf)
            except (OSError, EngineError, SlotRefused) as error:
                self._complain(spec.name, str(error))
        self._note(spec.name, **{timed: round(1e3 * (anyio.current_time() - began), 1)})
        if scope.cancelled_caught:
            self._complain(spec.name, f"not all conversations were moved within {bound_s:.0f} s")

    async def _free_slots(self, session: str) -> None:
        for model, table in list(self._tables.items()):
            slot = slots.slot_of(table, session)
            if slot is None:
                continue
            self._tables[model] = slots.without(table, session)
            if not table.seats[slot].busy:
                try:
                    await server_slots.erase(self._connections, self._notes[model].address, slot)
                except SlotRefused as error:
                    _LOG.warning("%s: %s", model, error)

    async def _save_slot(self, shelf: Shelf, model: str, slot: int, session: str, mark: Mark | None) -> None:
        notes = self._notes[model]
        file = records.file_name(notes.identity, session)
        await anyio.to_thread.run_sync(shelf.check_room, notes.identity)
        part = await anyio.to_thread.run_sync(shelf.part, file)
        try:
            moved = await server_slots.save(self._connections, notes.address, slot, part)
            record = Saved(
                file=file,
                model=model,
                identity=notes.identity,
                session=session,
                tokens=moved.tokens,
                size=moved.size,
                saved_at=0,
                mark=mark,
            )
            if await anyio.to_thread.run_sync(shelf.keep, part, record) is None:
                what = f"a conversation of {moved.tokens} tokens"
                self._complain(model, f"{what} was not kept: its file is not whole, or over warmth.max_mib")
        except SlotRefused as error:
            if not error.is_for_good:
                raise
            await self._give_up(notes.identity, str(error))
        finally:
            # Also when the stage's time is over: what is not whole takes no room, and nobody would look for it before the next start.
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(shelf.drop, part)

    async def _restore_slot(self, shelf: Shelf, model: str, slot: int, record: Saved) -> None:
        try:
            moved = await server_slots.restore(self._connections, self._notes[model].address, slot, record.file)
        except SlotRefused as error:
            if error.is_about_file:
                await anyio.to_thread.run_sync(shelf.discard, (record.file,))
            if not error.is_about_file and not error.is_for_good:
                raise
            self._complain(model, str(error))
            return
        if moved.tokens and model in self._tables:
            self._tables[model] = slots.restored(self._tables[model], slot, record.session, record.mark)

    async def _give_up(self, identity: str, reason: str) -> None:
        if self._shelf is not None:
            _LOG.warning("conversations are not kept any more: %s", reason)
            await anyio.to_thread.run_sync(self._shelf.give_up, identity, reason)

    async def _opened(self) -> Shelf | None:
        if self._shelf is not None and not self._is_open:
            await anyio.to_thread.run_sync(self._shelf.open)
            self._is_open = True
        return self._shelf

    def _is_tried(self, model: str, shelf: Shelf) -> bool:
        identity = self._notes.get(model, _Notes()).identity
        return bool(identity) and identity not in shelf.ledger.unsupported

    def _complain(self, model: str, trouble: str) -> None:
        _LOG.warning("%s: conversations stay cold: %s", model, trouble)
        self._note(model, trouble=trouble)

    def _note(self, model: str, **changes: object) -> _Notes:
        self._notes[model] = notes = replace(self._notes.get(model, _Notes()), **changes)  # pyright: ignore[reportArgumentType]
        return notes


def _latest(shelf: Shelf, spec: ModelSpec, identity: str) -> tuple[records.Saved, ...]:
    """What is restored of a model, by slot; nothing where that was found not to work."""
    return () if identity in shelf.ledger.unsupported else records.of_model(shelf.ledger, identity)[: spec.slots]
