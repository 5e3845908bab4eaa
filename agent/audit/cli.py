"""`variet audit`: whether the book of what was decided, asked and done is whole, and what it says."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import click

from agent.audit.book import BOOK_FILE, look_at
from agent.audit.chain import COPIED, Entry, Fault, missing_from, session_mark
from agent.audit.stored import stored_events
from agent.errors import AgentError
from config.paths import Home
from config.plain import neutralise, one_line

FAILED = 1
LOG_FILE = "sessions.sqlite3"
EPILOG = """\b
Examples:
  variet audit verify                     is the book whole, and does it hold all that the conversations do?
  variet audit verify --head HASH         and does it still hold the line that you noted down?
  variet audit list --last 20             what was decided, asked and done last
  variet audit list --session ID --json   of one conversation, for programs

\b
Exit codes: 0 done, and the book is whole; 1 it is not, or cannot be read;
2 wrong usage.
"""


@click.group(epilog=EPILOG)
def audit() -> None:
    """Check and show the book of what the assistant decided, asked and did.

    It holds tools, verdicts, answers and times, and of everything else only digests: a conversation that is deleted leaves no word here.
    """


@audit.command(epilog="Exit codes: 0 it is whole, 1 it is not or cannot be read, 2 wrong usage.")
@click.option("--head", metavar="HASH", help="The hash of a line that must still be there, as an earlier `verify` printed it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def verify(head: str | None, *, as_json: bool) -> None:
    """Check every line against the one before, and the conversations against the lines."""
    home = Home.find()
    book = home.state_dir / BOOK_FILE
    try:
        began = look_at(book).entries[:1]
        # The log first: a step is in the book before it is there.
        stored = stored_events(home.state_dir / LOG_FILE, since=began[0].at if began else None)
        found = look_at(book)
    except (AgentError, OSError) as error:
        click.echo(f"variet audit: {error}", err=True)
        sys.exit(FAILED)
    faults = [*found.faults, *missing_from(found, stored)]
    if head and head not in {entry.hash for entry in found.entries}:
        faults.append(Fault(len(found.entries), f"no line has the hash {head}: lines were removed, or the book was written anew"))
    if as_json:
        told = {"entries": len(found.entries), "head": found.head, "is_torn": found.is_torn, "faults": [asdict(fault) for fault in faults]}
        click.echo(json.dumps(told))
    else:
        _tell(len(found.entries), found.head, faults, is_torn=found.is_torn)
    sys.exit(FAILED if faults else 0)


def _tell(entries: int, head: str, faults: list[Fault], *, is_torn: bool) -> None:
    for fault in faults:
        click.echo(neutralise(fault.text))
    if is_torn:
        click.echo("The last line is not whole: the service stopped while it wrote it, before it did anything.")
    if faults:
        click.echo(f"{len(faults)} faults in {entries} entries.")
    else:
        click.echo(f"{entries} entries, and every one follows from the one before. The last has the hash {head}")


@audit.command("list", epilog="Exit codes: 0 done, 1 the book cannot be read, 2 wrong usage.")
@click.option("--last", type=click.IntRange(min=1), help="Only so many, the newest.")
@click.option("--session", help="Only those of this conversation, by its id.")
@click.option("--tool", help="Only those of this tool.")
@click.option("--copied", "with_copied", is_flag=True, help="Also what copies of conversations (/undo, /fork) took over.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def list_entries(last: int | None, session: str | None, tool: str | None, *, with_copied: bool, as_json: bool) -> None:
    """Show what was decided, asked and done, oldest first.

    A copy of a conversation does nothing again, so its lines are shown only where --copied asks for them.
    """
    try:
        entries = look_at(Home.find().state_dir / BOOK_FILE).entries
    except OSError as error:
        click.echo(f"variet audit: {error}", err=True)
        sys.exit(FAILED)
    mark = session_mark(session) if session else None
    known = [each for each in entries if with_copied or each.what != COPIED]
    shown = [each for each in known if (mark is None or each.session == mark) and (tool is None or each.tool == tool)]
    shown = shown[-last:] if last else shown
    if as_json:
        click.echo(json.dumps([asdict(entry) for entry in shown]))
        return
    for entry in shown:
        click.echo(_line(entry))


def _line(entry: Entry) -> str:
    about = f"{entry.tool} ({entry.tool_class})" if entry.tool_class else entry.tool
    said = " ".join(part for part in (entry.what, about, entry.word) if part)
    # A model, or a tool's server, may have written the name, and a line must not repaint those before it.
    return "  ".join([f"{entry.n:>6}", *(one_line(part) for part in (entry.at[:19], entry.session[:8], said))])
