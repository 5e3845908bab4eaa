"""What the tool servers take: a start beside the MCP library's own import, a big Maildir and a busy calendar beside the plain libraries."""

from __future__ import annotations

import email
import email.policy
import email.utils
import json
import mailbox
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import icalendar
import recurring_ical_events

from bench.figures import Figure, percentile
from mcp_servers.calendars.backends.local import LocalCalendars
from mcp_servers.calendars.server import Calendars
from mcp_servers.mail.server import MailTools
from mcp_servers.mailbox.store import MailStore
from mcp_servers.protocol.calls import Call

START_ADDS_S = 0.15
PLAIN_TIMES = 1.5
"""What the first time may take of the plain library's."""
INDEXED_TIMES = 0.1
"""And every later one."""
START_BOUND_S = 120.0
NOW = datetime(2026, 11, 21, 9, 15, tzinfo=ZoneInfo("Europe/Berlin"))
SOUGHT = "budget"
EVERY = 50
"""One mail in so many holds the word."""
LIBRARY = "import mcp.server.lowlevel, mcp.server.stdio"
HELLO = {
    "jsonrpc": "2.0", "id": 1, "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}},
}  # fmt: skip
T = TypeVar("T")


def measure_server_starts(place: Path, runs: int) -> list[Figure]:
    """Start the calendar server `runs` times until it has listed its tools, in turns with the library's import alone."""
    starts: list[float] = []
    imports: list[float] = []
    for _ in range(runs):
        imports.append(_timed(lambda: subprocess.run([sys.executable, "-c", LIBRARY], check=True, timeout=START_BOUND_S))[0])
        starts.append(_timed(lambda: _until_listed(place))[0])
    name = "calendar server, start to its list of tools, p50"
    return [Figure(name, "s", percentile(starts, 50), percentile(imports, 50), target=START_ADDS_S)]


def measure_mails(place: Path, count: int) -> list[Figure]:
    """Search a Maildir of `count` mails: by hand, the first time, and with the index."""
    _write_mails(place / "Inbox", count)
    direct, by_hand = _cpu_timed(lambda: _search_by_hand(place / "Inbox"))
    first, found = _cpu_timed(lambda: _search(place))
    again, found_again = _cpu_timed(lambda: _search(place))
    if not by_hand == found == found_again == count // EVERY:
        raise RuntimeError(f"by hand {by_hand} mails were found, by the server {found} and {found_again}")
    return [
        Figure(f"{count} mails searched, the first time", "CPU s", first, direct, limit=PLAIN_TIMES * direct),
        Figure(f"{count} mails searched, with the index", "CPU s", again, direct, limit=INDEXED_TIMES * direct),
    ]


def measure_week(place: Path, years: int) -> list[Figure]:
    """List one week of a busy calendar: by hand, by a server that has just started, and again by the same one."""
    count = _write_calendar(place / "work.ics", years)
    direct, by_hand = _cpu_timed(lambda: _week_by_hand(place / "work.ics"))
    calendars = Calendars(LocalCalendars(place))
    first, found = _cpu_timed(lambda: _week(calendars))
    again, found_again = _cpu_timed(lambda: _week(calendars))
    if not by_hand == found == found_again > 0:
        raise RuntimeError(f"by hand {by_hand} events were found, by the server {found} and {found_again}")
    return [
        Figure(f"a week of {years} years ({count} entries) listed, the first time", "CPU s", first, direct, limit=PLAIN_TIMES * direct),
        Figure(f"a week of {years} years ({count} entries) listed, again", "CPU s", again, direct, limit=INDEXED_TIMES * direct),
    ]


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    began = time.perf_counter()
    done = work()
    return time.perf_counter() - began, done


def _cpu_timed(work: Callable[[], T]) -> tuple[float, T]:
    """CPU seconds of this process: all of this is work in it, and whatever else the machine does would drown the comparison."""
    began = time.process_time()
    done = work()
    return time.process_time() - began, done


def _until_listed(place: Path) -> None:
    command = [sys.executable, "-m", "mcp_servers.calendars", "--store", str(place / "calendars"), "--zone", "Europe/Berlin"]
    messages = (HELLO, {"jsonrpc": "2.0", "method": "notifications/initialized"}, {"jsonrpc": "2.0", "id": 2, "method": "tools/list"})
    said = "".join(json.dumps(message) + "\n" for message in messages)
    heard: list[str] = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as server:
        late = threading.Timer(START_BOUND_S, server.kill)
        late.start()
        try:
            assert server.stdin is not None
            assert server.stdout is not None
            server.stdin.write(said)
            server.stdin.flush()
            # Its input stays open until it has answered: the end of it is the end of the server.
            for line in server.stdout:
                heard.append(line)
                if '"list_events"' in line:
                    return
        finally:
            late.cancel()
            server.kill()
    raise RuntimeError(f"the server listed no tools: {''.join(heard)}")


def _write_mails(folder: Path, count: int) -> None:
    for name in ("tmp", "new", "cur"):
        (folder / name).mkdir(parents=True)
    for number in range(count):
        sent = NOW - timedelta(minutes=13 * number)
        word = SOUGHT if number % EVERY == 0 else "weather"
        text = (
            f"From: Person {number % 97} <person{number % 97}@example.org>\nTo: you@home.example\nSubject: About the {word} of {number}\n"
            f"Date: {email.utils.format_datetime(sent)}\nMessage-ID: <{number}@example.org>\nMIME-Version: 1.0\n"
            f"Content-Type: text/plain; charset=utf-8\n\n" + "The numbers of the quarter are ready, and lunch is at noon.\n" * 20
        )
        (folder / "cur" / f"{number:06d}.bench:2,S").write_bytes(text.encode())


def _search_by_hand(folder: Path) -> int:
    """What a short script does: every mail's subject, sender and text, newest first."""
    found: list[datetime] = []
    parse: Any = partial(email.message_from_binary_file, policy=email.policy.default)
    messages: Any = mailbox.Maildir(folder, factory=parse)
    for message in messages:
        body = message.get_body(("plain",))
        words = f"{message['subject']} {message['from']} {body.get_content() if body else ''}"
        if SOUGHT in words.lower():
            found.append(email.utils.parsedate_to_datetime(message["date"]))
    return len(sorted(found, reverse=True))


def _search(folder: Path) -> int:
    store = MailStore(folder)
    try:
        return int(MailTools(store).search_mail(Call({"query": SOUGHT}, NOW)).structured["count"])
    finally:
        store.close()


def _write_calendar(file: Path, years: int) -> int:
    """Eight entries on each weekday, and ten series that go on over all of it."""
    begin = NOW.replace(hour=9, minute=0) - timedelta(days=365 * years - 30)
    calendar: Any = icalendar.Calendar.new(prodid="-//bench//", version="2.0")
    count = 0
    for day in (begin + timedelta(days=number) for number in range(365 * years)):
        for slot in range(8 if day.weekday() < 5 else 0):
            count += 1
            calendar.add_component(_event(f"e{count}", f"Meeting {count}", day + timedelta(minutes=45 * slot)))
    for series in range(10):
        count += 1
        event = _event(f"s{series}", f"Series {series}", begin + timedelta(days=series))
        event.add("rrule", {"freq": "weekly"})
        calendar.add_component(event)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(calendar.to_ical())
    return count


def _event(uid: str, title: str, start: datetime) -> Any:
    event: Any = icalendar.Event()
    event.add("uid", f"{uid}@bench.invalid")
    event.add("summary", title)
    event.add("dtstamp", NOW)
    event.add("dtstart", start)
    event.add("dtend", start + timedelta(minutes=30))
    return event


def _week_by_hand(file: Path) -> int:
    calendar: Any = icalendar.Calendar.from_ical(file.read_bytes())
    begin = NOW.replace(hour=0, minute=0) + timedelta(days=2)
    events: list[Any] = list(recurring_ical_events.of(calendar).between(begin, begin + timedelta(days=7)))
    return len(sorted(events, key=lambda event: event["DTSTART"].dt))


def _week(calendars: Calendars) -> int:
    return int(calendars.list_events(Call({"when": "next week"}, NOW)).structured["count"])
