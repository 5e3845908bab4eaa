"""Is everything told that a tool found? `python -m nano.told [--model FILE] [--weeks N]` asks over invented weeks.

Each question goes to the model with the result as the tool servers write it; told is what names every event with its start, or every
mail with its sender and subject. With `--floor` the exit code is 1 where less is told whole than `tests/judged/floor.json` says.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2

from agent.view.prompt import SYSTEM_PROMPT, user_text
from mcp_servers.calendars import shape as calendar_shape
from mcp_servers.calendars.model import Event
from mcp_servers.demo import invent
from mcp_servers.mail import shape as mail_shape
from mcp_servers.mail.model import Mail
from mcp_servers.spans import days_of
from mcp_servers.worlds import World
from nano import generate
from nano.evaluate import asked
from nano.judge import JUDGED, engine
from nano.results import ZONE

WEEKS = 100
SAMPLE = 12
"""Weeks that `--floor` asks about."""
NOW = datetime(2026, 11, 21, 9, 15, tzinfo=ZONE)
FEW_DAYS = 3


@dataclass(frozen=True)
class Question:
    """What is asked, the call that was made for it, what came back, and what an answer holds that tells all of it."""

    kind: str
    says: str
    tool: str
    arguments: dict[str, Any]
    result: str
    holds: tuple[str, ...]


def questions(week: int) -> Iterator[Question]:
    """The questions over one invented week."""
    world = invent(week, NOW)
    tomorrow = NOW.date() + timedelta(days=1)
    yield _events(world, "tomorrow", "what's on my calendar tomorrow?", tomorrow, tomorrow)
    yield _events(world, "the next 3 days", "what do I have in the next 3 days?", NOW.date(), NOW.date() + timedelta(days=FEW_DAYS - 1))
    name = max((mail.sender.name.split()[0] for mail in world.mails), key=lambda each: (len(world.mails_from(each)), each))
    yield _mails(world, name)


def _events(world: World, when: str, says: str, first: date, last: date) -> Question:
    there = [e for e in world.events if e.span.first_day <= last and first <= e.span.last_day]
    events = tuple(Event("u", e.title, e.span, e.location) for e in there)
    result = calendar_shape.events_text(days_of(datetime.combine(first, datetime.min.time(), ZONE), last), events)
    starts = [f"{e.span.start:%H:%M}" for e in there if not e.span.is_all_day]
    shown = [text for text in (*(e.title for e in there), *starts) if text in result]  # a long list ends with `and 2 more`
    return Question(when, says, "list_events", {"when": when}, result, tuple(shown))


def _mails(world: World, name: str) -> Question:
    found = world.mails_from(name)
    numbers = {id(mail): i for i, mail in enumerate(world.mails, 1)}
    mails = tuple(Mail(f"m{numbers[id(m)]}", m.sender, m.subject, m.sent_at, m.is_unread) for m in found)
    holds = (*(m.subject for m in found), *(m.sender.name for m in found))
    return Question("mails", f"any mail from {name}?", "search_mail", {"sender": name}, mail_shape.mails_text(mails), holds)


def told(client: httpx2.Client, question: Question) -> str:
    """What the model answers once the result is there."""
    call = {"name": question.tool, "arguments": json.dumps(question.arguments)}
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": SYSTEM_PROMPT},
        {"role": "user", "content": user_text(question.says, NOW)},
        {"role": "assistant", "content": "", "tool_calls": [{"id": "call_1", "type": "function", "function": call}]},
        {"role": "tool", "tool_call_id": "call_1", "content": question.result},
    ]
    return asked(client, messages, generate.served_tools()).get("content") or ""


def untold(question: Question, answer: str) -> list[str]:
    """What of the result the answer leaves out; a name that the result has twice is told twice."""
    low = answer.lower()
    return [text for text in dict.fromkeys(question.holds) if low.count(text.lower()) < question.holds.count(text)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="a GGUF file (default: the shipped one)")
    parser.add_argument("--weeks", type=int, default=WEEKS)
    parser.add_argument("--floor", action="store_true", help=f"only {SAMPLE} weeks, and fail below the floor")
    parser.add_argument("--out", type=Path, help="write the shares as JSON")
    args = parser.parse_args()
    marks: dict[str, list[bool]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="variet-told-") as folder,
        engine(args.model, Path(folder)) as url,
        httpx2.Client(base_url=url, trust_env=False) as client,
    ):
        for week in range(1, (SAMPLE if args.floor else args.weeks) + 1):
            for question in questions(week):
                answer = told(client, question)
                missing = untold(question, answer)
                marks.setdefault(question.kind, []).append(not missing)
                if missing:
                    sys.stdout.write(f"week {week}, {question.kind}: {', '.join(missing)} untold in {answer!r}\n")
    shares = {kind: round(sum(each) / len(each), 4) for kind, each in marks.items()}
    every = [mark for each in marks.values() for mark in each]
    share = round(sum(every) / len(every), 4)
    report = {"results": len(every), "told_whole": share, "kinds": shares}
    sys.stdout.write(json.dumps(report) + "\n")
    if args.out:
        args.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    least = json.loads((JUDGED / "floor.json").read_text(encoding="utf-8"))["told_whole"]
    if args.floor and share < least:
        sys.exit(f"The model that ships tells less than it did: {share} of the results whole, at least {least}.")


if __name__ == "__main__":
    main()
