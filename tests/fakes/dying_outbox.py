"""The outbox in a process of its own that is killed at a chosen step of a send: `python -m tests.fakes.dying_outbox FOLDER UID STEP PORT`.

Before and after each thing that a send does to the ledger, the folders and the SMTP server of that port (0: none) is a step; at the step of
that number the process kills itself as `kill -9` does. Without such a step it prints what the call answered, and how many steps there were.
"""

from __future__ import annotations

import os
import signal
import smtplib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mcp_servers.errors import Refusal
from mcp_servers.mailbox.maildir import Maildir
from mcp_servers.mailbox.store import MailStore
from mcp_servers.outbox.carriers import LocalCarrier
from mcp_servers.outbox.delivery import Delivery
from mcp_servers.outbox.ledger import Ledger
from mcp_servers.outbox.server import Outbox
from mcp_servers.outbox.smtp import SmtpCarrier, SmtpServer
from mcp_servers.protocol.calls import Call, Plan
from tests.mcp_servers.calling import NOW
from tests.mcp_servers.granting import KEY, sealed_call

SENDER = "you@work.example"


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


def send(folder: Path, uid: str, steps: Steps, port: int = 0) -> str:
    """One approved `send_draft`, with a fresh grant; through the SMTP server of that port, if there is one."""
    mails = MailStore(folder, addresses={"work": SENDER})
    local = LocalCarrier(mails.sent)
    carrier = SmtpCarrier(SmtpServer("work", "127.0.0.1", port, "", None, "none"), mails.sent) if port else local
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
        return outbox.send_draft(sealed_call("send_draft", planned.arguments, planned.host)).execute().text
    except Refusal as refusal:
        return f"refused: {refusal}"


if __name__ == "__main__":
    counted = Steps(int(sys.argv[3]))
    said = send(Path(sys.argv[1]), sys.argv[2], counted, int(sys.argv[4]))
    sys.stdout.write(f"{said}\n{counted.done}\n")
