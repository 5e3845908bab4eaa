"""The outbox in a process of its own that is killed at a chosen step of a send: `python -m tests.fakes.dying_outbox`, an `Order` per line.

Before and after each thing that a send does to the ledger, the folders and the place that it goes to is a step; at the step of that number
the process kills itself as `kill -9` does. Without such a step it writes down what the call answered, and how many steps there were.
"""

from __future__ import annotations

import json
import os
import signal
import smtplib
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp_servers.accounts.google_api import GoogleApi
from mcp_servers.errors import Refusal
from mcp_servers.mailbox.maildir import Maildir
from mcp_servers.mailbox.store import MailStore
from mcp_servers.mailbox.unfiled import Unfiled
from mcp_servers.outbox.carriers import Carrier, LocalCarrier
from mcp_servers.outbox.delivery import Delivery
from mcp_servers.outbox.gmail_carrier import COMPOSING, SENDING, GmailCarrier
from mcp_servers.outbox.ledger import Ledger
from mcp_servers.outbox.server import Outbox
from mcp_servers.outbox.smtp import SmtpCarrier, SmtpServer
from mcp_servers.protocol.calls import Call, Plan
from tests.mcp_servers.calling import NOW
from tests.mcp_servers.gmail_desk import MailTokens
from tests.mcp_servers.granting import KEY, sealed_call

SENDER = "you@work.example"


@dataclass(frozen=True)
class Order:
    """One send."""

    folder: str
    uid: str
    step: int
    """0 for one that is not killed."""
    place: str
    """An SMTP server's port (0: none), or Gmail's address."""
    answer: str
    """The file that the answer goes to."""


class Steps:
    """Counts what a send does, and dies where it is told to."""

    def __init__(self, deadly: int) -> None:
        self._deadly = deadly
        self.done = 0

    def around(self, owner: type, name: str) -> None:
        """Make a method a step; one before it and one right after it."""
        inner: Callable[..., Any] = getattr(owner, name)

        def counted(*arguments: Any, **options: Any) -> Any:
            self._step()
            result = inner(*arguments, **options)
            self._step()
            return result

        setattr(owner, name, counted)

    def _step(self) -> None:
        self.done += 1
        if self.done == self._deadly:
            os.kill(os.getpid(), signal.SIGKILL)


def carrier_of(place: str, mails: MailStore, folder: Path) -> Carrier:
    """The way out to that place."""
    if place.startswith("http"):
        tokens = MailTokens()
        sending, composing = (GoogleApi(service, "work", tokens, place, wait=lambda _: None) for service in (SENDING, COMPOSING))
        return GmailCarrier(sending, composing, wait=lambda _: None, clock=NOW.timestamp)
    if place != "0":
        return SmtpCarrier(SmtpServer("work", "127.0.0.1", int(place), "", None, "none"), mails.sent, unfiled=Unfiled(folder))
    return LocalCarrier(mails.sent)


def send(folder: Path, uid: str, steps: Steps, place: str = "0") -> str:
    """One approved `send_draft`, with a fresh grant."""
    mails = MailStore(folder, addresses={"work": SENDER})
    carrier = carrier_of(place, mails, folder)
    outbox = Outbox(mails, Delivery(folder, carrier), key=KEY)
    outbox.clear_sent_drafts()
    host = {"uid": uid}
    arguments = {"draft": "d1"}
    try:
        planned: Plan = outbox.send_draft(Call(arguments, NOW, host))
        for method in ("plan", "use", "mark", "note_draft", "forget_draft"):
            steps.around(Ledger, method)
        for method in ("add", "remove"):
            steps.around(Maildir, method)
        for method in ("connect", "mail", "rcpt", "data", "quit"):
            steps.around(smtplib.SMTP, method)
        steps.around(Unfiled, "note")
        steps.around(GoogleApi, "write_once")
        return outbox.send_draft(sealed_call("send_draft", planned.arguments, planned.host)).execute().text
    except Refusal as refusal:
        return f"refused: {refusal}"


def serve() -> None:
    """One send for each line that comes in, in a process forked from this one, which has everything loaded; its exit status goes out."""
    _ = GoogleApi(SENDING, "work", MailTokens(), "http://127.0.0.1:1/").methods  # loads Google's library
    for line in sys.stdin:
        order = Order(**json.loads(line))
        child = os.fork()
        if child == 0:
            status = 1
            try:
                counted = Steps(order.step)
                said = send(Path(order.folder), order.uid, counted, order.place)
                Path(order.answer).write_text(f"{said}\n{counted.done}\n", encoding="utf-8")
                status = 0
            except BaseException:  # noqa: BLE001 - a copy of the process ends here, whatever happened
                traceback.print_exc()
            finally:
                os._exit(status)
        _, waited = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(waited)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
