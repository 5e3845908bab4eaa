"""`variet sessions`: the conversations that are kept: list, search, show, export, fork, compact and delete them."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import anyio
import click
from pydantic import BaseModel

from agent.errors import AgentError
from agent.farewell import run_until_told
from agent.service.attach import attach
from agent.service.client import ServiceClient
from agent.sessions.exporting import FORMS, Form
from bots.group_options import refuse_options_before
from bots.lines import compacted_lines
from bots.refusal import refuse
from bots.standard_output import json_of
from bots.titles import TITLE_WIDTH
from config.load import ConfigError
from config.paths import Home
from config.plain import neutralise, one_line

FAILED = 1
INTERRUPTED = 130
EPILOG = """\b
Examples:
  variet sessions                         the last used first
  variet sessions search invoice march    who said both words, where
  variet sessions export ID > talk.md     as Markdown; --form jsonl for programs
  variet sessions fork ID                 go on differently from there
  variet sessions compact ID              make room for more of it
  variet chat --session ID                go on with one

\b
Exit codes: 0 done; 1 no such session, or it is in use; 2 wrong usage; 130 Ctrl-C.
"""


def _run(work: Callable[[ServiceClient], Awaitable[None]], *, as_json: bool = False) -> None:
    async def attached() -> None:
        async with attach(Home.find(), on_status=lambda _: None) as service:
            await work(service)

    try:
        run_until_told(attached)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except (AgentError, ConfigError) as error:
        refuse("sessions", error, as_json=as_json)
        sys.exit(FAILED)


def _print_json(rows: Sequence[BaseModel]) -> None:
    click.echo(json_of([row.model_dump() for row in rows]))


@click.group(invoke_without_command=True, epilog=EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
@click.pass_context
def sessions(context: click.Context, *, as_json: bool) -> None:
    """Look through the conversations that are kept, the last used first."""
    if context.invoked_subcommand is not None:
        refuse_options_before(context)
        return

    async def show(service: ServiceClient) -> None:
        rows = await service.sessions()
        if as_json:
            _print_json(rows)
            return
        for row in rows:
            waits = f"  ({row.waiting} waiting for you)" if row.waiting else ""
            used_at = (row.used_at or row.created_at)[:16].replace("T", " ")
            click.echo(f"{row.session}  {used_at}  {one_line(row.title or row.last_text, TITLE_WIDTH)}{waits}")
        if not rows:
            click.echo("There are none yet. `variet chat` begins one.", err=True)

    _run(show, as_json=as_json)


@sessions.command()
@click.argument("words", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def search(words: tuple[str, ...], *, as_json: bool) -> None:
    """Find the turns in which all WORDS were said, by you or by the assistant."""

    async def show(service: ServiceClient) -> None:
        rows = await service.search_sessions(" ".join(words))
        if as_json:
            _print_json(rows)
            return
        for row in rows:
            who = "you" if row.who == "person" else "variet"
            click.echo(f"{row.session}  {row.at[:16].replace('T', ' ')}  {who}: {one_line(row.text)}")
        if not rows:
            click.echo("Nothing was found.", err=True)

    _run(show, as_json=as_json)


@sessions.command()
@click.argument("session")
@click.option("--form", type=click.Choice(FORMS), default="markdown", show_default=True, help="markdown, or one event a line as JSON.")
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="A file instead of standard output.")
def export(session: str, form: Form, output: Path | None) -> None:
    """Write a SESSION out."""

    async def write(service: ServiceClient) -> None:
        text = await service.export(session, form)
        if output is None:
            # A terminal must not obey what stands in somebody's mail; a file gets the bytes as they are, as with --output.
            click.echo(neutralise(text) if sys.stdout.isatty() else text.encode(), nl=False)
            return
        try:
            await anyio.Path(output).write_text(text, encoding="utf-8")
        except OSError as error:
            raise AgentError(f"{output} could not be written: {error.strerror}.") from error

    _run(write)


@sessions.command()
@click.argument("session")
@click.option("--until", metavar="TURN", help="The last turn that the copy has (see `export --form jsonl`); without it: all.")
def fork(session: str, until: str | None) -> None:
    """Copy a SESSION, to go on differently; prints the copy's id."""

    async def copy(service: ServiceClient) -> None:
        click.echo(await service.fork(session, until=until))

    _run(copy)


@sessions.command()
@click.argument("session")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def compact(session: str, *, as_json: bool) -> None:
    """Make room in a SESSION: all but its last exchange leave the model's view, summed up, and stay in the log."""

    async def make_room(service: ServiceClient) -> None:
        done = await service.compact(session)
        click.echo(done.model_dump_json() if as_json else "\n".join(compacted_lines(done)))

    _run(make_room, as_json=as_json)


@sessions.command()
@click.argument("session", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(session: tuple[str, ...], *, yes: bool) -> None:
    """Delete each SESSION with everything that came of it, and with what you typed in it; this cannot be undone."""
    if not yes:
        _ask(f"Delete {', '.join(session)} for good?")

    async def throw_away(service: ServiceClient) -> None:
        for each in session:
            await service.delete(each)
            click.echo(f"deleted {each}")

    _run(throw_away)


def _ask(question: str) -> None:
    """Go on after a yes alone."""
    try:
        click.confirm(question, abort=True)
    except click.Abort as left:
        # click makes one thing of a no, the end of the input and Ctrl-C; which it was stands behind it.
        if isinstance(left.__context__, KeyboardInterrupt):
            click.echo(err=True)
            sys.exit(INTERRUPTED)
        raise
