"""Lays out a judged world as the stores that the tool servers read, and answers searches from it over HTTP."""

from __future__ import annotations

import json
import mailbox
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from icalendar import Calendar, Event

OWNER = "me@example.org"


def seed(data: Path, world: dict[str, Any]) -> None:
    """Write calendars and mail into the data folder of an empty home."""
    calendars = data / "calendars"
    calendars.mkdir(parents=True, mode=0o700)
    (calendars / "personal.ics").write_bytes(_calendar(world["events"]).to_ical())
    inbox = mailbox.Maildir(str(_private(data / "mail") / "Inbox"))
    for number, mail in enumerate(world["mails"]):
        message = mailbox.MaildirMessage(_mail(number, mail))
        if not mail.get("unread"):
            message.set_subdir("cur")
            message.add_flag("S")
        inbox.add(message)


def _private(folder: Path) -> Path:
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    return folder


def _moment(text: str) -> date | datetime:
    return date.fromisoformat(text) if len(text) == 10 else datetime.fromisoformat(text)


def _calendar(events: list[dict[str, Any]]) -> Calendar:
    calendar = Calendar()
    calendar.add("prodid", "-//variet//judged//")
    calendar.add("version", "2.0")
    for number, each in enumerate(events):
        event = Event()
        event.add("uid", f"judged-{number}")
        event.add("summary", each["title"])
        event.add("dtstart", _moment(each["start"]))
        event.add("dtend", _moment(each["end"]))
        event.add("dtstamp", datetime.fromisoformat("2024-01-01T00:00:00+00:00"))
        if each.get("location"):
            event.add("location", each["location"])
        calendar.add_component(event)
    return calendar


def _mail(number: int, mail: dict[str, Any]) -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"] = f"{mail['from_name']} <{mail['from_address']}>"
    message["To"] = OWNER
    message["Subject"] = mail["subject"]
    message["Date"] = format_datetime(datetime.fromisoformat(mail["date"]))
    message["Message-ID"] = f"<judged-{number}@example.org>"
    message.set_content(mail["text"])
    return message.as_bytes()


@contextmanager
def search_instance(results: list[dict[str, Any]]) -> Iterator[str]:
    """An HTTP server that answers every search with `results`, in SearXNG's JSON; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = json.dumps(
                {
                    "query": "",
                    "results": results,
                    "answers": [],
                    "corrections": [],
                    "infoboxes": [],
                    "suggestions": [],
                    "unresponsive_engines": [],
                }
            ).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = _answer  # the name is http.server's

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self._answer()

        def log_message(self, format: str, *args: object) -> None:  # the name is http.server's
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
