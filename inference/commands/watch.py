"""`variet engine activity|swaps|logs`: what a running engine has done, and what its models' processes say."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from urllib.parse import quote

import click

from config.plain import neutralise
from inference.cli import EXIT_CODES
from inference.commands.asking import Whereabouts, asked_engine, json_option, whereabouts
from inference.contract import ActivityAnswer, ActivityRecord, LogLines, SwapReason, SwapRecord, SwapsAnswer

_COLUMNS = "{at:{width}}  {model:16}  {key:12}  {outcome:26}  {waited:>8}  {load:>8}  {first:>8}  {tokens:>13}  {rate:>8}"


@click.command(epilog=f"Example: variet engine activity --limit 20\n\n{EXIT_CODES}")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="The newest so many.")
@whereabouts
@json_option
def activity(limit: int, *, where: Whereabouts, as_json: bool) -> None:
    """Show the last finished requests: who, which model, how long, how many tokens and how it ended; never contents."""
    with asked_engine(where) as ask:
        answer = ask("GET", f"/engine/activity?limit={limit}", None, ActivityAnswer)
    click.echo(answer.model_dump_json() if as_json else neutralise(activity_text(answer)))


@click.command(epilog=f"Example: variet engine swaps --limit 5\n\n{EXIT_CODES}")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="The newest so many.")
@whereabouts
@json_option
def swaps(limit: int, *, where: Whereabouts, as_json: bool) -> None:
    """Show the last loads: which model, how long it took, why, and in whose place."""
    with asked_engine(where) as ask:
        answer = ask("GET", f"/engine/swaps?limit={limit}", None, SwapsAnswer)
    click.echo(answer.model_dump_json() if as_json else neutralise(swaps_text(answer)))


@click.command(epilog=f"Examples: variet engine logs fast; variet engine logs deep-coder -f\n\n{EXIT_CODES}")
@click.argument("model")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is added, until Ctrl-C.")
@click.option("-n", "--lines", type=click.IntRange(0, 2000), default=50, show_default=True, help="Begin with the last so many lines.")
@whereabouts
def logs(model: str, lines: int, *, where: Whereabouts, follow: bool) -> None:
    """Show the end of the log of MODEL's process."""
    path = f"/engine/logs/{quote(model, safe='')}?lines={lines}"
    with asked_engine(where) as ask:
        if not follow:
            _print_lines(ask("GET", path, None, LogLines))
            return
        with suppress(KeyboardInterrupt):
            for added in ask.events(f"{path}&follow=1", LogLines):
                _print_lines(added)


def activity_text(answer: ActivityAnswer) -> str:
    """The log as a table, oldest first, so that the newest stands above the prompt."""
    if not answer.enabled:
        return "No activity is recorded (activity.enabled in engine.toml)."
    if not answer.requests:
        return "No request has ended yet."
    names = {"at": "ended", "model": "model", "key": "key", "outcome": "outcome", "waited": "waited", "load": "load", "first": "first"}
    times = [_when(each.at) for each in answer.requests]
    width = max(map(len, times))
    head = _COLUMNS.format(**names, tokens="tokens", rate="tokens/s", width=width).rstrip()
    lines = [head, *(_line(each, at, width) for each, at in zip(reversed(answer.requests), reversed(times), strict=True))]
    return "\n".join([*lines, f"{answer.lost} records could not be kept."] if answer.lost else lines)


def swaps_text(answer: SwapsAnswer) -> str:
    """The loads one per line, oldest first."""
    if not answer.enabled:
        return "No loads are recorded (activity.enabled in engine.toml)."
    return "\n".join(_swap_line(each) for each in reversed(answer.swaps)) or "Nothing has been loaded yet."


def _swap_line(record: SwapRecord) -> str:
    when = datetime.fromtimestamp(record.at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    took = seconds_text(record.seconds) if record.outcome == "ready" else record.outcome
    error = f": {record.error.splitlines()[0]}" if record.error else ""
    return f"{when}  {record.model:16}  {took:>8}  {reason_text(record.reason)}{error}"


def outcome_text(record: ActivityRecord) -> str:
    """How it ended, with the code where that says more."""
    outcome = record.outcome.replace("_", " ")
    return outcome if record.code in (None, record.outcome) else f"{outcome}: {record.code.replace('_', ' ')}"


def reason_text(reason: SwapReason) -> str:
    """Why a model was loaded, for whom, and who went for it."""
    by = f" (from {reason.by})" if reason.by else ""
    return f"{reason.why}{by}; in place of {', '.join(reason.evicted)}" if reason.evicted else f"{reason.why}{by}"


def _when(at: float) -> str:
    """The time alone where it is today's."""
    time = datetime.fromtimestamp(at).astimezone()
    return time.strftime("%H:%M:%S" if time.date() == datetime.now().astimezone().date() else "%Y-%m-%d %H:%M:%S")


def _line(record: ActivityRecord, at: str, width: int) -> str:
    return _COLUMNS.format(
        at=at,
        width=width,
        model=record.model or "-",
        key=record.key or "-",
        outcome=outcome_text(record),
        waited=seconds_text(record.queued_s),
        load=seconds_text(record.swap_s or None),
        first=seconds_text(record.first_token_s),
        tokens=f"{_count(record.prompt_tokens)} > {_count(record.completion_tokens)}",
        rate="-" if record.tokens_per_s is None else f"{record.tokens_per_s:.1f}",
    )


def seconds_text(seconds: float | None) -> str:
    """A duration in seconds for a column."""
    return "-" if seconds is None else f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"


def _count(tokens: int | None) -> str:
    return "-" if tokens is None else str(tokens)


def _print_lines(lines: LogLines) -> None:
    # A model's process may print what it likes; a terminal must not obey it.
    for line in lines.lines:
        click.echo("".join(each if each.isprintable() or each == "\t" else "�" for each in line))
