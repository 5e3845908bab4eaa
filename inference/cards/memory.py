"""What models take and what the GPUs hold, gathered for the scheduler: estimates, then what loads have shown, kept across restarts."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from inference.cards.card import Card
from inference.cards.estimate import MIB, estimate_mib, whole_from_mib
from inference.catalog import BUILTIN_FILE, ModelSpec
from inference.files.model_files import files_of
from inference.identity import identity
from inference.kept import KeptFile
from inference.runtimes.buffer_lines import gpu_mib
from inference.runtimes.gguf_header import PREFIX_BYTES, Value, read_keys
from inference.scheduling.residency import Memory, Taken, room_mib, share, uses_gpus

LOG_TAIL_BYTES = 512 * 1024
"""What is read of a model's log after a load: a load writes far less."""
FILLED = 7 / 8
"""Of all the room, what a model that is larger than that takes at least: its runtime leaves some free and puts only whole layers there, and
a desktop has a little. It was not squeezed, and need not send away a small model beside which it has fitted."""
_PLACING = frozenset({"-ngl", "--gpu-layers", "--n-gpu-layers", "-dev", "--device", "--rpc", "-ot", "--override-tensor"})
"""A person's own arguments by which a model may be off this machine's cards because that is wanted."""
_LOG = logging.getLogger(__name__)


class MemoryBook:
    """The needs of models, in one small file beside the load times. A file that cannot be read is an empty book, never an error.

    A measurement counts for the command that it was made with: another context or another file is estimated anew.
    """

    def __init__(self, path: Path, log_dir: Path) -> None:
        self._kept = KeptFile(path)
        self._log_dir = log_dir
        self._cards: tuple[Card, ...] = ()
        """As they were seen last."""
        self._gpus_mib: Mapping[int, int] = {}
        self._measured: dict[str, tuple[str, Taken]] = self._kept.read(_parsed)
        self._vain: dict[str, tuple[str, str]] = {}
        """Of each model whose last load put nothing on a card that it was to use: the command, and that in words."""

    @property
    def has_cards(self) -> bool:
        """Whether a card has said anything yet."""
        return bool(self._cards)

    def memory(self, specs: Mapping[str, ModelSpec], total_mib: int | None, margin_mib: int, cards: Sequence[Card] = ()) -> Memory:
        """What is known before any load.

        Args:
            specs: the models.
            total_mib: of each GPU, as the person says; counts before what the cards say.
            margin_mib: what is left free on each GPU.
            cards: as they are; none where they do not answer, which takes nothing away from what they said before. Without them and
                without `total_mib` nothing is known: the number of models alone decides.
        """
        self._cards = tuple(cards) or self._cards
        seen = {card.index: card.total_mib for card in self._cards}
        totals = seen if total_mib is None else dict.fromkeys(_gpus(specs.values(), seen), total_mib)
        self._gpus_mib = {gpu: max(0, total - margin_mib) for gpu, total in totals.items()}
        if not totals:
            return Memory()
        files = {name: _files(spec) for name, spec in specs.items() if not spec.is_on_processor}
        needs_mib = {name: need for name, spec in specs.items() if (need := self._need_mib(spec, files.get(name))) is not None}
        measured_mib = {name: taken for name, spec in specs.items() if (taken := self._taken(spec)) is not None}
        least_mib = {name: math.floor(need * FILLED) for name, need in needs_mib.items()}
        whole_mib = {name: min(whole_from_mib(specs[name], *found), least_mib.get(name, 0)) for name, found in files.items() if found}
        return Memory(self._gpus_mib, needs_mib, measured_mib, whole_mib=whole_mib)

    def learn(self, spec: ModelSpec, held_mib: Mapping[int, int]) -> Taken | None:
        """Keep what a model's last load took, in MiB; called from a thread.

        Args:
            spec: as it was started.
            held_mib: what its processes hold of each card, as the cards say: runtime and all. Empty: its log is read instead.

        Returns:
            What it took; None where neither says, or where it asks for cards and got none: it takes its share of them once its program
            can use them, and what was measured when it could counts until then.
        """
        if spec.is_on_processor:
            return None  # What was measured counts again once a program is there that can use the cards.
        found = dict(held_mib) or self._told(spec)
        self._judge(spec, is_off_cards=found == 0)
        if found == 0 and _asks_for_cards(spec):
            return None
        if found is not None and self._measured.get(spec.name) != (_command(spec), found):
            self._measured[spec.name] = (_command(spec), found)
            self._kept.write(lambda: dict(self._measured))
        return found

    def shares_mib(self, spec: ModelSpec) -> dict[int, int]:
        """What a model takes of each GPU as its last load showed, in MiB; empty where it was not measured."""
        # One that got nothing of them has nothing to give back, whatever it took when its program could use them.
        taken = 0 if self.vain(spec) else self._taken(spec)
        return {} if taken is None else share(spec, Memory(self._gpus_mib, measured_mib={spec.name: taken}))

    def vain(self, spec: ModelSpec) -> str | None:
        """That the last load put nothing on a card though it was to; None where it did, or nobody knows."""
        command, why = self._vain.get(spec.name, ("", None))
        return why if why and command == _command(spec) and not spec.is_on_processor else None

    def _judge(self, spec: ModelSpec, *, is_off_cards: bool) -> None:
        has_wish = _asks_for_cards(spec)
        # Where no key says anything, cards that are there are meant to be used; the small model that ships needs none.
        is_meant = has_wish or bool(self._cards and uses_gpus(spec) and _is_left_to_us(spec) and spec.path != BUILTIN_FILE)
        if not (is_off_cards and is_meant):
            self._vain.pop(spec.name, None)
            return
        program = spec.program or "its llama-server"
        begin = f"{' and '.join(spec.card_keys)} in vain: " if has_wish else ""
        end = "" if has_wish else "; n_gpu_layers = 0 says that this is as it should be"
        no_such = ", or there is none of those in gpus" if spec.gpus else ""
        why = (
            f"{begin}{program} has put nothing on a graphics card: it is built without them, or cannot use their driver{no_such} "
            f"(variet engine logs {spec.name}){end}"
        )
        if self.vain(spec) != why:
            _LOG.warning("models.%s: %s", spec.name, why)
        self._vain[spec.name] = (_command(spec), why)

    def _taken(self, spec: ModelSpec) -> Taken | None:
        command, taken = self._measured.get(spec.name, ("", 0))
        if taken == 0 and _asks_for_cards(spec):
            return None  # As earlier versions kept it of a program that could not use them.
        return taken if command == _command(spec) and not spec.is_on_processor else None

    def _told(self, spec: ModelSpec) -> int | None:
        """As its log says, which names all buffers but a projector's weights."""
        found = gpu_mib(_tail(self._log_dir / f"model-{spec.name}.log"))
        if not found or spec.mmproj is None or "--no-mmproj-offload" in spec.extra_args:
            return found
        try:
            return found + math.ceil(spec.mmproj.stat().st_size / MIB)
        except (OSError, ValueError):
            return found

    def _need_mib(self, spec: ModelSpec, files: tuple[int, Mapping[str, Value]] | None) -> int | None:
        if spec.is_on_processor:
            return 0
        if files is None:
            return spec.estimate_mib  # The start will say that they are not there.
        files_bytes, keys = files
        need = estimate_mib(spec, files_bytes, keys)
        if need is None or spec.estimate_mib is not None:
            return need
        room = room_mib(spec, self._gpus_mib)
        # What it takes beside its weights is reckoned, and nothing is refused for good by reckoning alone: it is tried, with all the room
        # that there is. And the runtime fits itself into what is free where it is not told how much to offload. Where the cards say nothing
        # there may be more of them than anybody names, for a model that does not say on which it goes.
        is_counted = bool(self._cards or spec.gpus or spec.tensor_split)
        is_too_large = is_counted and spec.n_gpu_layers is not None and files_bytes > room * MIB
        return need if is_too_large else min(need, room)


def _asks_for_cards(spec: ModelSpec) -> bool:
    return bool(spec.card_keys) and uses_gpus(spec) and _is_left_to_us(spec)


def _is_left_to_us(spec: ModelSpec) -> bool:
    return _PLACING.isdisjoint(spec.extra_args)


def _command(spec: ModelSpec) -> str:
    """What a measurement was made with. Of a model with a draft or a projector, those of earlier versions lacked one of the two."""
    is_one = spec.draft is None and spec.mmproj is None
    return identity(spec) if is_one else f"{identity(spec)} in all"


def _files(spec: ModelSpec) -> tuple[int, Mapping[str, Value]] | None:
    """What a model's files hold, in bytes, and the head of its own; None where they cannot be read."""
    try:
        files_bytes = sum(path.stat().st_size for path in files_of(spec))
        with spec.path.open("rb") as file:
            return files_bytes, read_keys(file.read(PREFIX_BYTES))
    except (OSError, ValueError):  # a ValueError is a name that no file can have
        return None


def _gpus(specs: Iterable[ModelSpec], seen: Collection[int]) -> list[int]:
    """The cards that are there as far as anybody says: those that were seen, and as many as the models name."""
    named = max((count for spec in specs for count in (len(spec.tensor_split or ()), *(gpu + 1 for gpu in spec.gpus or ()))), default=0)
    return sorted({*seen, *range(named)}) or [0]


def _tail(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - LOG_TAIL_BYTES))
            return file.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _parsed(found: Any) -> dict[str, tuple[str, Taken]]:
    return {str(model): (str(command), _taken_of(taken)) for model, (command, taken) in found.items()}


def _taken_of(taken: Any) -> Taken:
    """JSON knows only texts as keys."""
    return {int(gpu): int(mib) for gpu, mib in taken.items()} if isinstance(taken, dict) else int(taken)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType, reportUnknownMemberType]
