"""`variet engine top`: what a running engine does, live in the terminal."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

import click
from rich.console import Console, Group, OverflowMethod, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from config.plain import one_line
from inference.cli import EXIT_CODES
from inference.commands.asking import AskedEngine, Whereabouts, asked_engine, json_option, whereabouts
from inference.commands.watch import outcome_text, reason_text, seconds_text
from inference.contract import ActivityAnswer, EngineStatus, Gpu, Resources, SwapProgress, SwapsAnswer

SHOWN_REQUESTS = 10
SHOWN_SWAPS = 5
NO_SWAPS = SwapsAnswer(enabled=False)
PRINTED_WIDTH = 140
"""Of what is printed where there is no terminal to say: all columns, none cut."""
_BAR_WIDTH = 32
_STYLES = {"ready": "green", "failed": "red", "loading": "yellow", "stopping": "yellow", "unloaded": "dim"}
_OUTCOMES = {"ok": "green", "client_gone": "dim"}


@dataclass(frozen=True)
class Look:
    """What an engine said at one moment."""

    status: EngineStatus
    activity: ActivityAnswer
    resources: Resources
    swaps: SwapsAnswer = NO_SWAPS


@click.command(epilog=f"Examples: variet engine top; variet engine top --json\n\n{EXIT_CODES}")
@click.option("--interval", type=click.FloatRange(0.2, 60), default=1.0, show_default=True, help="Seconds between two looks.")
@whereabouts
@json_option
def top(interval: float, *, where: Whereabouts, as_json: bool) -> None:
    """Show models, queue, loads with their reasons and recent requests, until Ctrl-C. Where no person looks, once."""
    with asked_engine(where) as ask:
        look = take_look(ask)
        if as_json:
            click.echo(json.dumps({name: getattr(look, name).model_dump() for name in ("status", "activity", "resources", "swaps")}))
            return
        console = Console()
        if not console.is_terminal:
            Console(width=PRINTED_WIDTH).print(screen(look))
            return
        with Live(screen(look), console=console, screen=True, auto_refresh=False) as live:
            try:
                while True:
                    time.sleep(interval)
                    live.update(screen(take_look(ask)), refresh=True)
            except KeyboardInterrupt:
                return


def take_look(ask: AskedEngine) -> Look:
    """Ask for all that is shown."""
    return Look(
        ask("GET", "/engine/status", None, EngineStatus),
        ask("GET", f"/engine/activity?limit={SHOWN_REQUESTS}", None, ActivityAnswer),
        ask("GET", "/engine/resources", None, Resources),
        ask("GET", f"/engine/swaps?limit={SHOWN_SWAPS}", None, SwapsAnswer),
    )


def screen(look: Look) -> RenderableType:
    """One look as a screen."""
    parts: list[RenderableType] = [_text(f"Variet engine {look.status.version}", style="bold"), Text(), _models(look)]
    if look.resources.gpus:
        parts += [Text(), *(_gpu_line(gpu, look.status.lent_mib.get(gpu.index)) for gpu in look.resources.gpus)]
    if look.status.swap is not None:
        parts += [Text(), _swap(look.status.swap)]
        if look.status.swap.reason is not None:
            parts.append(_text(reason_text(look.status.swap.reason), style="dim"))
    if look.status.queue:
        parts += [Text(), *_queue(look.status)]
    if look.swaps.swaps:
        parts += [Text(), _swaps(look.swaps)]
    return Group(*parts, Text(), _activity(look.activity))


def _models(look: Look) -> Table:
    memory = {each.name: each.resident_mib for each in look.resources.models}
    table = _table("model", "tiers", "state", "running", "waiting", "memory", "last load", numbers=4)
    for each in look.status.models:
        mib = memory.get(each.name)
        table.add_row(
            _text(each.name),
            _text(", ".join(each.tiers), style="dim"),
            _text(each.state, style=_STYLES.get(each.state, "")),
            str(each.in_flight),
            str(each.waiting),
            "-" if mib is None else f"{mib:.0f} MiB",
            seconds_text(each.last_load_s),
        )
        for what in (each.error, each.obstacle, each.warning):
            _add_line(table, what)
    return table


def _add_line(table: Table, what: str | None) -> None:
    if what:
        table.add_row("", "", _text(what.splitlines()[0], style="red", overflow="ellipsis"), "", "", "", "")


def _gpu_line(gpu: Gpu, lent_mib: int | None) -> Text:
    holders = ", ".join(f"{model} {mib}" for model, mib in gpu.used_by.items())
    used = f"GPU {gpu.index} {gpu.name}: {gpu.total_mib - gpu.free_mib} of {gpu.total_mib} MiB used"
    line = _text(f"{used} ({holders})" if holders else used)
    return line if lent_mib is None else line.append(f"  lent to another program, which has taken {lent_mib} MiB", style="yellow")


def _swap(swap: SwapProgress) -> RenderableType:
    line = Table.grid(padding=(0, 1))
    left = None if swap.expected_s is None else swap.expected_s - swap.elapsed_s
    hint = "" if left is None else f"about {left:.0f} s left" if left > 0 else "longer than usual"
    percent = "" if swap.percent is None else f"{swap.percent:.0f} %"
    bar: RenderableType = "" if swap.percent is None else ProgressBar(total=100, completed=swap.percent, width=_BAR_WIDTH)
    line.add_row(
        _text(swap.model, style="bold"),
        _text(swap.phase, style="yellow"),
        bar,
        percent,
        f"{swap.elapsed_s:.0f} s",
        _text(hint, style="dim"),
    )
    return line


def _queue(status: EngineStatus) -> list[RenderableType]:
    table = _table("#", "waits for", "request", "for", "why", numbers=0)
    for each in status.queue:
        table.add_row(
            str(each.position),
            _text(each.model),
            _text(each.id, style="dim"),
            seconds_text(each.waited_s),
            _text(each.why or "", style="dim"),
        )
    if status.age_bound_s is None:
        return [table]
    return [
        table,
        _text(f"Who has waited {status.age_bound_s:g} s goes first; what is in its way takes no new requests then.", style="dim"),
    ]


def _swaps(swaps: SwapsAnswer) -> Table:
    table = _table("loaded", "model", "took", "why", numbers=0)
    for each in swaps.swaps:
        took = seconds_text(each.seconds) if each.outcome == "ready" else each.outcome
        style = "red" if each.outcome == "failed" else ""
        when = time.strftime("%H:%M:%S", time.localtime(each.at))
        why = reason_text(each.reason) + (f": {each.error.splitlines()[0]}" if each.error else "")
        table.add_row(when, _text(each.model), _text(took, style=style), _text(why, style="dim"))
    return table


def _activity(activity: ActivityAnswer) -> RenderableType:
    if not activity.requests:
        return _text("No request has ended yet." if activity.enabled else "No activity is recorded.", style="dim")
    table = _table("ended", "model", "key", "outcome", "waited", "load", "first token", "tokens", "tokens/s", numbers=5)
    for each in activity.requests:
        table.add_row(
            time.strftime("%H:%M:%S", time.localtime(each.at)),
            _text(each.model or "-"),
            _text(each.key or "-"),
            _text(outcome_text(each), style=_OUTCOMES.get(each.outcome, "red")),
            seconds_text(each.queued_s),
            seconds_text(each.swap_s or None),
            seconds_text(each.first_token_s),
            "-" if each.completion_tokens is None else str(each.completion_tokens),
            "-" if each.tokens_per_s is None else f"{each.tokens_per_s:.1f}",
        )
    return table


def _table(*columns: str, numbers: int) -> Table:
    """A plain table whose last `numbers` columns are to the right."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index >= len(columns) - numbers else "left", no_wrap=True)
    return table


def _text(words: str, style: str = "", overflow: OverflowMethod | None = None) -> Text:
    """Words of an engine, or of a model's process, as a terminal may show them."""
    return Text(one_line(words), style=style, overflow=overflow)
