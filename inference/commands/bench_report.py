"""What `variet engine bench` found, as values, and how it is shown and compared. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from inference.contract import Resources

NOT_COMPARED = "Processor and card are not compared: "
WORTH_A_CARD = 5.0
"""Times as fast as the processor, at least, where a model really lies on the card."""


@dataclass(frozen=True)
class Writing:
    """How fast a model reads and writes, in tokens per second."""

    prefill_tps: float
    decode_tps: float
    prompt_tokens: int
    answer_tokens: int


@dataclass(frozen=True)
class Speaking:
    """How fast a model speaks. Times in seconds, each the median of the runs."""

    characters: int
    """Of the text that was spoken."""
    first_byte_s: float
    """From the request to the first byte of the answer's body."""
    speech_s: float
    """From the request to the last byte."""
    audio_s: float | None
    """How long what was said plays; None where that cannot be read."""
    audio_s_basis: str
    """What `audio_s` was read from, or why it could not be."""
    real_time_factor: float | None
    """`speech_s` for one second of sound: under 1 it speaks faster than one listens."""


@dataclass(frozen=True)
class Measured:
    """One model's figures; which of `writing` and `speaking` there is depends on what it is for."""

    model: str
    load_s: float | None
    resident_mib: float | None
    """Main memory of its process; None where that cannot be seen."""
    vram_mib: int | None
    """What it takes of all graphics cards; 0 for one that runs on the processor alone, None where nothing says."""
    writing: Writing | None = None
    speaking: Speaking | None = None

    def as_json(self) -> dict[str, object]:
        """All figures of this model in one table, without those of the other kind."""
        found = {**vars(self), **(vars(self.writing) if self.writing else {}), **(vars(self.speaking) if self.speaking else {})}
        del found["writing"], found["speaking"]
        return found


def comparison(found: Sequence[Measured]) -> list[str]:
    """How many times faster what lies on a card is than what lies on none, and whether that is what a card is for.

    Where that cannot be said of several models, why. One whose place is not known is left out.
    """
    if len(found) < 2:
        return []
    on_card = [each for each in found if each.vram_mib]
    on_none = [each for each in found if each.vram_mib == 0]
    if len(on_card) != 1 or len(on_none) != 1:
        return [_not_a_pair(on_card, on_none, [each for each in found if each.vram_mib is None])]
    card, processor = on_card[0], on_none[0]
    times = _times(card, processor)
    if not times:
        is_one_kind = (card.writing is None) == (processor.writing is None)
        why = "it is not known of both how long what they say plays" if is_one_kind else "one of them writes and the other speaks"
        return [f"{NOT_COMPARED}{why}."]
    lines = [f"{card.model} {' and '.join(f'{what} {each:.1f} times' for what, each in times.items())} as fast as {processor.model}."]
    if [*times.values()][-1] < WORTH_A_CARD:
        lines.append(
            f"A card is at least {WORTH_A_CARD:g} times as fast as the processor, or the placement is wrong: "
            "look at n_gpu_layers, n_cpu_moe and gpus in engine.toml, and at what else holds the card (variet engine top)."
        )
    return lines


def _not_a_pair(on_card: Sequence[Measured], on_none: Sequence[Measured], unknown: Sequence[Measured]) -> str:
    places = [("on a card", on_card), ("on none", on_none), *([("not known where", unknown)] if unknown else [])]
    told = "; ".join(f"{place}: {', '.join(each.model for each in there) or 'no model'}" for place, there in places)
    hint = "" if on_none else ". One with gpus = [] in engine.toml sees none; with n_gpu_layers = 0 alone it still opens the card"
    return f"{NOT_COMPARED}that takes one model on a card and one on none, and there are {told}{hint}."


def _times(card: Measured, processor: Measured) -> dict[str, float]:
    """By what both do, how many times as fast the first is; the last is what the answer is waited for."""
    if card.writing is not None and processor.writing is not None:
        reads, writes = (getattr(card.writing, name) / getattr(processor.writing, name) for name in ("prefill_tps", "decode_tps"))
        return {"reads": reads, "writes": writes}
    if card.speaking is not None and processor.speaking is not None:
        ours, theirs = card.speaking.real_time_factor, processor.speaking.real_time_factor
        return {"speaks": theirs / ours} if ours and theirs else {}
    return {}


def held_mib(used: Resources, model: str) -> int | None:
    """What a model holds of all cards, in MiB; None where they do not tell."""
    held = [gpu.used_by[model] for gpu in used.gpus if model in gpu.used_by]
    return sum(held) if held else None


def table_text(found: Sequence[Measured]) -> str:
    """One column per model, and the rows that any of them has something for."""

    def of_writing(show: Callable[[Writing], str]) -> Callable[[Measured], str]:
        return lambda each: "-" if each.writing is None else show(each.writing)

    def of_speaking(show: Callable[[Speaking], str]) -> Callable[[Measured], str]:
        return lambda each: "-" if each.speaking is None else show(each.speaking)

    rows: list[tuple[str, Callable[[Measured], str]]] = [
        ("", lambda each: each.model),
        ("load", lambda each: _seconds(each.load_s)),
        ("prefill", of_writing(lambda each: f"{each.prefill_tps:.1f} tokens/s")),
        ("decode", of_writing(lambda each: f"{each.decode_tps:.1f} tokens/s")),
        ("first byte", of_speaking(lambda each: _seconds(each.first_byte_s))),
        ("speech", of_speaking(lambda each: _seconds(each.speech_s))),
        ("audio", of_speaking(lambda each: "not known" if each.audio_s is None else _seconds(each.audio_s))),
        ("speech/audio", of_speaking(lambda each: "-" if each.real_time_factor is None else f"{each.real_time_factor:.2f}")),
        ("main memory", lambda each: "-" if each.resident_mib is None else f"{each.resident_mib:.0f} MiB"),
        ("GPU memory", lambda each: "-" if each.vram_mib is None else f"{each.vram_mib} MiB"),
    ]
    of_one_kind = {
        *(("prefill", "decode") if not any(each.writing for each in found) else ()),
        *(("first byte", "speech", "audio", "speech/audio") if not any(each.speaking for each in found) else ()),
    }
    shown = [(label, show) for label, show in rows if label not in of_one_kind]
    return "\n".join(f"{label:13}" + "".join(f"{show(each):>20}" for each in found) for label, show in shown)


def notes(found: Sequence[Measured]) -> list[str]:
    """What a length of sound was read from, or why there is none."""
    return [
        f"{each.model}: the audio's length {'was' if each.speaking.audio_s is not None else 'is not known:'} {each.speaking.audio_s_basis}."
        for each in found
        if each.speaking is not None
    ]


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"
