"""`variet undo`: take back the mails that were approved a moment ago and have not gone out yet."""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from typing import Any

import click

from agent.errors import AgentError
from agent.farewell import run_until_told
from agent.service.attach import attach
from agent.service.client import ServiceClient
from bots.lines import held_line
from bots.refusal import refuse
from bots.taking_back import ALL, NOTHING_HELD, held_json, take_back
from config.load import ConfigError
from config.paths import Home
from config.plain import one_line

WHO = "cli"
DONE, FAILED, INTERRUPTED = 0, 1, 130
GONE = "is not held any more: it has gone out, was taken back already, or is asked about again"
EPILOG = """\b
Examples:
  variet undo                 take back whatever is about to go out
  variet undo --list --json   what that is, for a program
  variet undo h-2f0c55a81b7e  only this one

\b
Exit codes: 0 taken back; 1 nothing is held, or it was too late; 2 wrong usage; 130 Ctrl-C.
"""


@click.command(epilog=EPILOG)
@click.argument("hold", nargs=-1)
@click.option("--list", "is_listed", is_flag=True, help="Show what is about to go out, and take nothing back.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def undo(hold: tuple[str, ...], *, is_listed: bool, as_json: bool) -> None:
    """Take back mails that were approved and have not gone out yet: each HOLD, or all of them.

    A mail that you approve waits for `agent.send_hold_s` seconds before it goes out. What was taken back never does.
    """
    try:
        code = run_until_told(partial(_undo, hold, is_listed=is_listed, as_json=as_json))
    except KeyboardInterrupt:
        code = INTERRUPTED
    except (AgentError, ConfigError) as error:
        code = FAILED
        refuse("undo", error, as_json=as_json)
    sys.exit(code)


async def _undo(holds: tuple[str, ...], *, is_listed: bool, as_json: bool) -> int:
    async with attach(Home.find(), on_status=lambda _: None) as service:
        return await (_list(service, as_json=as_json) if is_listed else _take_back(service, holds, as_json=as_json))


async def _list(service: ServiceClient, *, as_json: bool) -> int:
    held = await service.holds()
    if as_json:
        _print_json({"held": [held_json(each) for each in held]})
    else:
        for each in held:
            click.echo(f"{each.held.hold}  {each.session}  {held_line(each.held, time.time())}")
        if not held:
            click.echo(NOTHING_HELD, err=True)
    return DONE if held else FAILED


async def _take_back(service: ServiceClient, holds: tuple[str, ...], *, as_json: bool) -> int:
    done = await take_back(service, who=WHO, holds=holds or ALL)
    found = {each.held.hold for each in (*done.back, *done.late)}
    unknown = [hold for hold in holds if hold not in found]
    if as_json:
        late = [*map(held_json, done.late), *({"hold": hold} for hold in unknown)]
        _print_json({"taken_back": [held_json(each) for each in done.back], "too_late": late})
    else:
        for each in done.back:
            click.echo(f"Taken back, not sent: {one_line(each.held.summary)}")
        for name in [*(each.held.summary for each in done.late), *unknown]:
            click.echo(f"{one_line(name)} {GONE}.", err=True)
        if not (found or unknown):
            click.echo(NOTHING_HELD, err=True)
    return DONE if done.back and not done.late and not unknown else FAILED


def _print_json(value: dict[str, Any]) -> None:
    click.echo(json.dumps(value, ensure_ascii=True))
