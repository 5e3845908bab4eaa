"""`variet engine status|switch|unload|reload`: ask a running engine, over its own HTTP interface."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import click

from config.plain import neutralise
from inference.cli import EXIT_CODES
from inference.commands import options
from inference.commands.asking import CONNECT_BOUND_S, AskedEngine, Whereabouts, asked_engine, json_option, whereabouts
from inference.commands.watch import reason_text
from inference.contract import FORCE, EngineStatus, ModelStatus, QueuedRequest, ReloadAnswer, SwapProgress, SwitchAnswer, UnloadAnswer

SHOW_EVERY_S = 0.5
"""Between two looks at the progress of a switch."""

_COLOURS = {"ready": "green", "failed": "red", "loading": "yellow", "stopping": "yellow"}


@click.command(epilog=f"Example: variet engine status --json\n\n{EXIT_CODES}")
@whereabouts
@json_option
def status(*, where: Whereabouts, as_json: bool) -> None:
    """Show what is loaded, what waits, and the load under way."""
    with asked_engine(where) as ask:
        answer = ask("GET", "/engine/status", None, EngineStatus)
    click.echo(answer.model_dump_json() if as_json else _status_text(answer))


@click.command(epilog=f"Examples: variet engine switch balanced; variet engine switch deep-coder --force\n\n{EXIT_CODES}")
@click.argument("name")
@click.option("--force", is_flag=True, help="End the requests that the present model is answering; passes gaming mode.")
@click.option("--no-wait", is_flag=True, help="Return as soon as the engine has taken it on.")
@whereabouts
@json_option
def switch(name: str, *, where: Whereabouts, force: bool, no_wait: bool, as_json: bool) -> None:
    """Load the tier or model NAME in place of what is loaded."""
    with asked_engine(where, {FORCE: "true"} if force else {}) as ask, _progress(ask, is_shown=not (no_wait or as_json)):
        answer = ask("POST", "/engine/switch", {"model": name, "wait": not no_wait, "force": force}, SwitchAnswer)
    if as_json:
        click.echo(answer.model_dump_json())
        return
    click.echo(
        f"{neutralise(answer.name)} is {answer.state}." + (f" Its last load took {answer.last_load_s:.1f} s." if answer.last_load_s else "")
    )
    if answer.ended:
        click.echo(f"Ended requests: {neutralise(', '.join(answer.ended))}")


@click.command(epilog=f"Examples: variet engine unload; variet engine unload fast\n\n{EXIT_CODES}")
@click.argument("name", required=False)
@whereabouts
@json_option
def unload(name: str | None, *, where: Whereabouts, as_json: bool) -> None:
    """Free the memory of NAME, or of all models, once their running requests are done."""
    with asked_engine(where) as ask:
        answer = ask("POST", "/engine/unload", {"model": name}, UnloadAnswer)
    if as_json:
        click.echo(answer.model_dump_json())
        return
    click.echo(f"Unloaded: {neutralise(', '.join(answer.unloaded)) or 'nothing was loaded'}.")
    if answer.waiting:
        wanted = neutralise(", ".join(f"{model} ({count} waiting)" for model, count in answer.waiting.items()))
        click.echo(
            f"The memory does not stay free, because requests have models loaded: {wanted}. To refuse them: variet engine mode GAMING"
        )


@click.command(
    name="reload",
    epilog="Examples: variet engine reload; variet engine reload --json\n\n"
    "Exit codes: 0 the engine goes by its engine.toml, 1 it refused, 2 wrong usage, or an engine.toml that cannot be used (the old one "
    "stays), 3 no engine answers.",
)
@whereabouts
@json_option
def reload_settings(*, where: Whereabouts, as_json: bool) -> None:
    """Have the engine read its engine.toml again now. It does so by itself a second after a change; this says what came of it."""
    with asked_engine(where) as ask:
        answer = ask("POST", "/engine/reload", None, ReloadAnswer)
    click.echo(answer.model_dump_json() if as_json else neutralise(_reload_text(answer)))


def _reload_text(answer: ReloadAnswer) -> str:
    told = {
        "changed, and replaced when their streams have ended": answer.changed,
        "added": answer.added,
        "removed, once their streams have ended": answer.removed,
        "names": answer.names,
        "applied": answer.applied,
    }
    lines = [f"{what}: {', '.join(names)}" for what, names in told.items() if names] or ["Nothing is different."]
    return "\n".join([*lines, *_standing_lines(answer)])


def _standing_lines(told: ReloadAnswer | EngineStatus) -> list[str]:
    """What the settings file says that the engine does not go by."""
    restart = [f"needs a restart: {', '.join(told.needs_restart)}"] if told.needs_restart else []
    return [*restart, *(f"has no effect: {each}" for each in told.overridden)]


@contextmanager
def _progress(ask: AskedEngine, *, is_shown: bool) -> Iterator[None]:
    """Show on standard error how a load goes on, where a person is looking; pipes get nothing."""
    if not (is_shown and sys.stderr.isatty()):
        yield
        return
    is_over = threading.Event()

    def show() -> None:
        while not is_over.wait(SHOW_EVERY_S):
            try:
                swap = ask("GET", "/engine/status", None, EngineStatus).swap
            except options.Failure:
                return
            if swap is not None:
                click.echo(f"\r\x1b[K{neutralise(_swap_text(swap))}", nl=False, err=True)

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join(CONNECT_BOUND_S)
        click.echo("\r\x1b[K", nl=False, err=True)


def _swap_text(swap: SwapProgress) -> str:
    percent = "" if swap.percent is None else f" {swap.percent:.0f} %"
    expected = "" if swap.expected_s is None else f" of about {swap.expected_s:.0f} s"
    return f"{swap.model}: {swap.phase}{percent}, {swap.elapsed_s:.0f} s{expected}"


def _status_text(status: EngineStatus) -> str:
    lines: list[str] = []
    for model in status.models:
        tiers = f" ({', '.join(model.tiers)})" if model.tiers else ""
        load = f", {model.in_flight} running, {model.waiting} waiting" if model.in_flight or model.waiting else ""
        lines.append(f"{neutralise(f'{model.name}{tiers}')}: {_painted(model.state)}{load}")
        lines.extend(f"    {neutralise(line)}" for line in _told_of(model))
    rest = [lent_line(gpu, mib) for gpu, mib in status.lent_mib.items()]
    if status.swap:
        rest.append(f"loading {_swap_text(status.swap)}")
    rest.extend(_queued_text(each) for each in status.queue)
    rest.extend(_standing_lines(status))
    return "\n".join([*lines, *(neutralise(line) for line in rest)])


def _told_of(model: ModelStatus) -> list[str]:
    """What else there is to say of a model, some of it in the words of its process."""
    lines = model.error.splitlines() if model.error else []
    if model.obstacle:
        lines.append(f"cannot be loaded: {model.obstacle}")
    if model.warning:
        lines.append(model.warning)
    if model.reason:
        lines.append(f"loaded because {reason_text(model.reason)}")
    elif model.gone:
        lines.append(f"gone because {model.gone}")
    return lines


def _queued_text(each: QueuedRequest) -> str:
    why = f" ({each.why})" if each.why else ""
    return f"waits #{each.position}: {each.id} for {each.model}, {each.waited_s:.0f} s{why}"


def lent_line(gpu: int, mib: int) -> str:
    """That a card is lent."""
    return f"GPU {gpu} is lent to another program, which has taken {mib} MiB: models keep away until it has gone"


def _painted(state: str) -> str:
    """A state in its colour, for a person at a terminal who has not said NO_COLOR."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return state
    return click.style(state, fg=_COLOURS.get(state))
