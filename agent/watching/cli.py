"""`variet usage`: how many turns, requests and tokens the models were asked for, from the conversations that are kept."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Literal

import click

from agent.errors import AgentError
from agent.local_time import find_zone
from agent.watching.stored import stored_requests
from agent.watching.usage import BYS, Asked, By, Used, asked_in, grouped, since, total
from config.load import ConfigError, load_agent
from config.paths import Home

FAILED, WRONG = 1, 2
LOG_FILE = "sessions.sqlite3"
Period = Literal["today", "week", "month", "all"]
DAYS: Mapping[Period, int | None] = {"today": 1, "week": 7, "month": 30, "all": None}
"""How many local days a period has, today among them."""
EPILOG = """\b
Examples:
  variet usage                            today, the last 7 days, and those by tier
  variet usage --since month --by day     the last 30 days, one by one
  variet usage --by session --json        by conversation, for programs

\b
Exit codes: 0 done; 1 the conversations cannot be read; 2 wrong usage or
settings.
"""


@click.command(epilog=EPILOG)
@click.option("--since", "period", type=click.Choice(list(DAYS)), default="week", show_default=True, help="The days that the rows cover.")
@click.option("--by", type=click.Choice(BYS), default="tier", show_default=True, help="What the rows stand for.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def usage(period: Period, by: By, *, as_json: bool) -> None:
    """Show what the models were asked for: turns, requests, tokens, time and cost.

    A conversation that was deleted is not counted any more.
    """
    home = Home.find()
    try:
        zone = find_zone(load_agent(home=home).agent.zone)
        asked = asked_in(stored_requests(home.state_dir / LOG_FILE))
    except ConfigError as error:
        click.echo(f"variet usage: {error}", err=True)
        sys.exit(WRONG)
    except (AgentError, OSError) as error:
        click.echo(f"variet usage: {error}", err=True)
        sys.exit(FAILED)
    today = zone.now().date()
    sums = {name: total(since(asked, first_day(name, today), zone.info)) for name in ("today", "week")}
    within = since(asked, first_day(period, today), zone.info)
    groups = grouped(within, by, zone.info)
    if as_json:
        rows = [{by: key, **used.as_json()} for key, used in groups.items()]
        click.echo(json.dumps({**{name: used.as_json() for name, used in sums.items()}, "since": period, "by": by, "rows": rows}))
        return
    click.echo(_table({"today": sums["today"], "last 7 days": sums["week"]}, ""))
    if groups:
        click.echo()
        click.echo(_table({_label(key, by, within): used for key, used in groups.items()}, f"{by} ({period})"))


def first_day(period: Period, today: date) -> date | None:
    """The first day of a period that ends today; None where it has none."""
    days = DAYS[period]
    return None if days is None else today - timedelta(days=days - 1)


def _label(key: str, by: By, asked: list[Asked]) -> str:
    title = next((each.title for each in asked if each.session == key), "") if by == "session" else ""
    # Titles are somebody's words, and a terminal obeys control characters.
    shown = "".join(letter for letter in title if letter.isprintable())[:40]
    return f"{key}  {shown}".rstrip() or "(unknown)"


def _table(groups: Mapping[str, Used], title: str) -> str:
    has_cost = any(used.money for used in groups.values())
    head = [title, "turns", "requests", "read", "cached", "written", "seconds", *(["cost"] if has_cost else [])]
    rows = [head, *([name, *_cells(used, has_cost=has_cost)] for name, used in groups.items())]
    widths = [max(len(row[place]) for row in rows) for place in range(len(head))]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]) for row in rows
    )


def _cells(used: Used, *, has_cost: bool) -> list[str]:
    numbers = (len(used.turns), used.requests, used.prompt_tokens, used.cached_tokens, used.completion_tokens)
    return [*(f"{number:,}" for number in numbers), f"{used.elapsed_s:,.1f}", *([f"{used.money:.4f}"] if has_cost else [])]
