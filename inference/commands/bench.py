"""`variet engine bench`: measure how fast a running engine's models load, read and write, or speak, and have it keep the rates.

Everything goes through the engine's own interface, so that it measures what clients get; reading and writing are timed by the model's
server itself, a load by the engine, and speech as it is heard here.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

import click
from pydantic import BaseModel

from inference.cli import EXIT_CODES
from inference.commands.asking import AskedEngine, Whereabouts, asked_engine, json_option, whereabouts
from inference.commands.bench_report import Measured, Speaking, Writing, comparison, held_mib, notes, table_text
from inference.commands.bench_speech import measure_speech
from inference.commands.options import Failure
from inference.contract import EngineStatus, ModelRates, Resources, ServedModel, SwitchAnswer, UnloadAnswer

PROMPT_TOKENS = 512
"""Read at most: long enough that the start of a run does not count."""
ANSWER_TOKENS = 128
_SHORT_PROMPT = 16
_SHARE = 2
"""Of a small context the prompt takes one part in so many."""
_SEED = 20
NO_CARD = "No graphics card is known to this engine: processor and card are not compared."
_WORDS = "the river turns slowly past old mills and gardens while people talk of weather bread trains work and the long summer".split()

Say = Callable[[str], None]
Work = Callable[[], Writing | Speaking]


class _Tokens(BaseModel):
    tokens: list[int]


class _Completion(BaseModel):
    timings: dict[str, float]


@click.command(epilog=f"Examples: variet engine bench fast; variet engine bench deep deep-on-cpu --json\n\n{EXIT_CODES}")
@click.argument("models", nargs=-1, required=True)
@click.option("--runs", type=click.IntRange(1, 20), default=3, show_default=True, help="Take the median of so many runs.")
@click.option("--voice", default="alloy", show_default=True, help="Which voice a model that speaks is asked for.")
@whereabouts
@json_option
def bench(models: tuple[str, ...], runs: int, voice: str, *, where: Whereabouts, as_json: bool) -> None:
    """Unload, load and measure each of MODELS, and have the engine keep the rates. Name two to see them side by side.

    Of a model that speaks it is measured how long that takes, against how long what it says plays. To compare the processor with a
    graphics card, name one model twice in engine.toml, once with gpus = []: with n_gpu_layers = 0 alone
    it still opens the card.
    """
    with asked_engine(where) as ask:
        has_gpus = bool(ask("GET", "/engine/resources", None, Resources).gpus)
        found = [_measure(ask, name, runs, voice, lambda text: click.echo(text, err=True)) for name in models]
    if as_json:
        click.echo(json.dumps({"models": [each.as_json() for each in found], "has_gpus": has_gpus}))
        return
    # What a model's own log tells of counts, too, where the engine sees no card.
    is_blind = not has_gpus and not any(each.vram_mib for each in found)
    click.echo("\n".join([table_text(found), *notes(found), *([NO_CARD] if is_blind else comparison(found))]))


def _measure(ask: AskedEngine, name: str, runs: int, voice: str, say: Say) -> Measured:
    served = ask("GET", f"/v1/models/{name}", None, ServedModel)
    work = _work(ask, served, runs, voice, say)
    say(f"{name}: loading")
    ask("POST", "/engine/unload", {"model": name}, UnloadAnswer)
    load_s = ask("POST", "/engine/switch", {"model": name}, SwitchAnswer).last_load_s
    done = work()
    # An engine that tells no fingerprint knows no such field either.
    of = {} if served.meta.fingerprint is None else {"fingerprint": served.meta.fingerprint}
    ask("POST", "/engine/rates", {"model": name, "load_s": load_s, **_rates(done), **of}, ModelRates)
    used = ask("GET", "/engine/resources", None, Resources)
    memory = {each.name: each.resident_mib for each in used.models}
    vram = held_mib(used, served.meta.model)
    if vram is None:
        # Free memory before and after says nothing: others, whom the load sent away, may have held the card before.
        status = ask("GET", "/engine/status", None, EngineStatus)
        vram = next((each.gpu_mib for each in status.models if each.name == served.meta.model), None)
    common = Measured(name, load_s, resident_mib=memory.get(served.meta.model), vram_mib=vram)
    return replace(common, writing=done) if isinstance(done, Writing) else replace(common, speaking=done)


def _work(ask: AskedEngine, served: ServedModel, runs: int, voice: str, say: Say) -> Work:
    """What this model is measured by.

    Raises:
        Failure: it neither writes nor speaks. Nothing has been unloaded for it.
    """
    offers = served.meta.capabilities
    if "speech" in offers:
        return lambda: measure_speech(ask, served.id, runs, voice, say)
    if "chat" in offers or not offers:
        return lambda: _measure_writing(ask, served.id, served.meta.n_ctx, runs, say)
    raise Failure(f"{served.id} is for {', '.join(offers)}, and what is measured is how fast a model reads and writes, or speaks.")


def _rates(done: Writing | Speaking) -> dict[str, float | None]:
    """What of it the engine keeps; what is not known stays as it was."""
    if isinstance(done, Writing):
        return {"prefill_tps": done.prefill_tps, "decode_tps": done.decode_tps}
    return {"first_byte_s": done.first_byte_s, "real_time_factor": done.real_time_factor}


def _measure_writing(ask: AskedEngine, name: str, n_ctx: int, runs: int, say: Say) -> Writing:
    size = min(PROMPT_TOKENS, n_ctx // _SHARE)
    answer = min(ANSWER_TOKENS, n_ctx - _SHORT_PROMPT - 1)
    tokens = _prompt(ask, name, size)

    def run(prompt: Sequence[int], count: int, figure: str) -> float:
        body: dict[str, Any] = {"model": name, "prompt": list(prompt), "n_predict": count, "cache_prompt": False, "ignore_eos": True}
        return ask("POST", "/completion", {**body, "temperature": 0.0}, _Completion).timings[figure]

    run(tokens[:_SHORT_PROMPT], 1, "prompt_per_second")  # The first request after a load warms up what a load leaves cold.
    say(f"{name}: reading {len(tokens)} tokens, {runs} times")
    prefill = median(run(tokens, 1, "prompt_per_second") for _ in range(runs))
    say(f"{name}: writing {answer} tokens, {runs} times")
    decode = median(run(tokens[:_SHORT_PROMPT], answer, "predicted_per_second") for _ in range(runs))
    return Writing(round(prefill, 2), round(decode, 2), prompt_tokens=len(tokens), answer_tokens=answer)


def _prompt(ask: AskedEngine, name: str, size: int) -> list[int]:
    """Exactly `size` tokens of plain words, the same at every run."""
    chosen = random.Random(_SEED)
    text = " ".join(chosen.choice(_WORDS) for _ in range(size))
    return ask("POST", "/tokenize", {"model": name, "content": text}, _Tokens).tokens[:size]
