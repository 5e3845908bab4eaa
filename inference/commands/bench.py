"""`variet engine bench`: measure how fast a running engine's models load, read and write, and have it keep the rates.

Everything goes through the engine's own interface, so that it measures what clients get; reading and writing are timed by the model's
server itself, and a load by the engine.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import click
from pydantic import BaseModel

from inference.cli import EXIT_CODES
from inference.commands.asking import AskedEngine, Whereabouts, asked_engine, json_option, whereabouts
from inference.contract import ModelRates, Resources, ServedModel, SwitchAnswer, UnloadAnswer

PROMPT_TOKENS = 512
"""Read at most: long enough that the start of a run does not count."""
ANSWER_TOKENS = 128
WORTH_A_CARD = 5.0
"""Times as fast as the processor, at least, where a model really lies on the card."""
_SHORT_PROMPT = 16
_SHARE = 2
"""Of a small context the prompt takes one part in so many."""
_SEED = 20
_WORDS = "the river turns slowly past old mills and gardens while people talk of weather bread trains work and the long summer".split()


class _Tokens(BaseModel):
    tokens: list[int]


class _Completion(BaseModel):
    timings: dict[str, float]


@dataclass(frozen=True)
class Measured:
    """One model's figures."""

    model: str
    load_s: float | None
    prefill_tps: float
    decode_tps: float
    prompt_tokens: int
    answer_tokens: int
    resident_mib: float | None
    """Main memory of its process; None where that cannot be seen."""
    vram_mib: int | None
    """What its load took from the graphics cards; None where there are none."""


@click.command(epilog=f"Examples: variet engine bench fast; variet engine bench deep deep-on-cpu --json\n\n{EXIT_CODES}")
@click.argument("models", nargs=-1, required=True)
@click.option("--runs", type=click.IntRange(1, 20), default=3, show_default=True, help="Take the median of so many runs.")
@whereabouts
@json_option
def bench(models: tuple[str, ...], runs: int, *, where: Whereabouts, as_json: bool) -> None:
    """Unload, load and measure each of MODELS, and have the engine keep the rates. Name two to see them side by side.

    To compare the processor with a graphics card, name one model twice in engine.toml, once with n_gpu_layers = 0.
    """
    with asked_engine(where) as ask:
        has_gpus = bool(ask("GET", "/engine/resources", None, Resources).gpus)
        found = [_measure(ask, name, runs, lambda text: click.echo(text, err=True)) for name in models]
    if as_json:
        click.echo(json.dumps({"models": [asdict(each) for each in found], "has_gpus": has_gpus}))
        return
    click.echo("\n".join([table_text(found), *comparison(found)]))
    if not has_gpus:
        click.echo("No graphics card is known to this engine: processor and card are not compared.")


def _measure(ask: AskedEngine, name: str, runs: int, say: Callable[[str], None]) -> Measured:
    served = ask("GET", f"/v1/models/{name}", None, ServedModel)
    size = min(PROMPT_TOKENS, served.meta.n_ctx // _SHARE)
    answer = min(ANSWER_TOKENS, served.meta.n_ctx - _SHORT_PROMPT - 1)
    say(f"{name}: loading")
    ask("POST", "/engine/unload", {"model": name}, UnloadAnswer)
    free_before = _free_mib(ask)
    load_s = ask("POST", "/engine/switch", {"model": name}, SwitchAnswer).last_load_s
    free_after = _free_mib(ask)
    tokens = _prompt(ask, name, size)

    def run(prompt: Sequence[int], count: int, figure: str) -> float:
        body: dict[str, Any] = {"model": name, "prompt": list(prompt), "n_predict": count, "cache_prompt": False, "ignore_eos": True}
        return ask("POST", "/completion", {**body, "temperature": 0.0}, _Completion).timings[figure]

    run(tokens[:_SHORT_PROMPT], 1, "prompt_per_second")  # The first request after a load warms up what a load leaves cold.
    say(f"{name}: reading {len(tokens)} tokens, {runs} times")
    prefill = median(run(tokens, 1, "prompt_per_second") for _ in range(runs))
    say(f"{name}: writing {answer} tokens, {runs} times")
    decode = median(run(tokens[:_SHORT_PROMPT], answer, "predicted_per_second") for _ in range(runs))
    rates: dict[str, Any] = {"prefill_tps": round(prefill, 2), "decode_tps": round(decode, 2), "load_s": load_s}
    ask("POST", "/engine/rates", {"model": name, **rates}, ModelRates)
    used = ask("GET", "/engine/resources", None, Resources)
    memory = {each.name: each.resident_mib for each in used.models}
    vram = held_mib(used, served.meta.model)
    if vram is None and free_before is not None and free_after is not None:
        vram = max(0, free_before - free_after)
    return Measured(
        name, **rates, prompt_tokens=len(tokens), answer_tokens=answer, resident_mib=memory.get(served.meta.model), vram_mib=vram
    )


def comparison(found: Sequence[Measured]) -> list[str]:
    """How many times faster what lies on a card is than what lies on none, and whether that is what a card is for."""
    on_card = [each for each in found if each.vram_mib]
    on_none = [each for each in found if each.vram_mib == 0]
    if len(on_card) != 1 or len(on_none) != 1:
        return []
    card, processor = on_card[0], on_none[0]
    times = {"reads": card.prefill_tps / processor.prefill_tps, "writes": card.decode_tps / processor.decode_tps}
    lines = [f"{card.model} {' and '.join(f'{what} {each:.1f} times' for what, each in times.items())} as fast as {processor.model}."]
    if times["writes"] < WORTH_A_CARD:
        lines.append(
            f"A card is at least {WORTH_A_CARD:g} times as fast as the processor, or the placement is wrong: "
            "look at n_gpu_layers, n_cpu_moe and gpus in engine.toml, and at what else holds the card (variet engine top)."
        )
    return lines


def held_mib(used: Resources, model: str) -> int | None:
    """What a model holds of all cards, in MiB; None where they do not tell."""
    held = [gpu.used_by[model] for gpu in used.gpus if model in gpu.used_by]
    return sum(held) if held else None


def _prompt(ask: AskedEngine, name: str, size: int) -> list[int]:
    """Exactly `size` tokens of plain words, the same at every run."""
    chosen = random.Random(_SEED)
    text = " ".join(chosen.choice(_WORDS) for _ in range(size))
    return ask("POST", "/tokenize", {"model": name, "content": text}, _Tokens).tokens[:size]


def _free_mib(ask: AskedEngine) -> int | None:
    gpus = ask("GET", "/engine/resources", None, Resources).gpus
    return sum(gpu.free_mib for gpu in gpus) if gpus else None


def table_text(found: Sequence[Measured]) -> str:
    """One column per model."""
    rows: list[tuple[str, Callable[[Measured], str]]] = [
        ("", lambda each: each.model),
        ("load", lambda each: "-" if each.load_s is None else f"{each.load_s:.2f} s"),
        ("prefill", lambda each: f"{each.prefill_tps:.1f} tokens/s"),
        ("decode", lambda each: f"{each.decode_tps:.1f} tokens/s"),
        ("main memory", lambda each: "-" if each.resident_mib is None else f"{each.resident_mib:.0f} MiB"),
        ("GPU memory", lambda each: "-" if each.vram_mib is None else f"{each.vram_mib} MiB"),
    ]
    return "\n".join(f"{label:12}" + "".join(f"{show(each):>20}" for each in found) for label, show in rows)
