"""Kills the outbox at every step of a send, again and again, and counts what came of it.

Run it as `python -m tests.fakes.outbox_killings --runs 200`.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple, Self

from mcp_servers.accounts.google_api import GoogleApi
from mcp_servers.mail.server import MailTools
from mcp_servers.mailbox.gmail.account import GMAIL, GmailAccount
from mcp_servers.mailbox.store import MailStore
from mcp_servers.outbox.delivery import UNKNOWN
from tests.fakes.dying_outbox import SENDER, Order
from tests.fakes.gmail import FakeGmail, gmail_on_loopback
from tests.fakes.mail_servers import Sink, smtp_server
from tests.mcp_servers.calling import call
from tests.mcp_servers.gmail_desk import MailTokens

BOUND_S = 100.0
SENT = 'Sent to bruno@example.org, subject "Yes": Yes.'


@dataclass(frozen=True)
class Killing:
    """What one killed send left, and what came of it when it was approved again."""

    step: int
    was_killed: bool
    sent_at_first: int
    said: str
    """What the second call answered."""
    sent: int
    drafts: int

    @property
    def is_good(self) -> bool:
        """It was killed; then there is one mail and no draft that would go out again, and the answer says so, or says that nobody knows."""
        is_sent = (self.said, self.sent, self.drafts) == (SENT, 1, 0)
        is_said = self.said == f"refused: {UNKNOWN}" and self.sent <= 1
        return self.was_killed and self.sent_at_first <= 1 and (is_sent or is_said)


class Ended(NamedTuple):
    """One process."""

    status: int
    said: str


class Outboxes:
    """Outboxes in a folder each, which send to the folder `Sent`, to a sink, or from the drafts of a Gmail account."""

    def __init__(self, scratch: Path, sink: Sink | None = None, google: FakeGmail | None = None) -> None:
        self._scratch = scratch
        self._sink = sink
        self._google = google
        command = [sys.executable, "-m", "tests.fakes.dying_outbox"]
        self._sender = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._sender:
            self._sender.kill()

    def steps_of_a_send(self) -> int:
        """How many steps an undisturbed send has.

        Raises:
            RuntimeError: it did not send.
        """
        folder = self._scratch / "whole"
        self._draft(folder).close()
        said, _, count = self._run(folder, 0).said.partition("\n")
        if said != SENT:
            raise RuntimeError(f"nothing was sent: {said}")
        return int(count)

    def kill_at(self, run: int, step: int) -> Killing:
        """One send that is killed at a step, and one that comes after it with another approval."""
        folder = self._scratch / str(run)
        mails = self._draft(folder)
        before, drafts = self._all_sent(mails), self._at_gmail() - 1
        try:
            killed = self._run(folder, step)
            at_first = self._all_sent(mails) - before
            said, _, _ = self._run(folder, 0).said.partition("\n")
            is_killed = killed.status == -signal.SIGKILL
            left = len(mails.drafts.entries()) + (self._at_gmail() - drafts if self._google else 0)
            return Killing(step, is_killed, at_first, said, self._all_sent(mails) - before, left)
        finally:
            mails.close()

    def _all_sent(self, mails: MailStore) -> int:
        if self._google:
            return len(self._google.mailbox.sent())
        return len(self._sink.mails) if self._sink else len(mails.sent.entries())

    def _at_gmail(self) -> int:
        return len(self._google.mailbox.drafts.mails) if self._google else 0

    def _draft(self, folder: Path) -> MailStore:
        accounts = [GmailAccount(GoogleApi(GMAIL, "work", MailTokens(), self._google.url))] if self._google else []
        mails = MailStore(folder, accounts, addresses={"work": SENDER})
        MailTools(mails).draft_mail(call(to="bruno@example.org", body="Yes.")).execute()
        return mails

    def _run(self, folder: Path, step: int) -> Ended:
        # At Gmail all of them are one person's: each has a letter of its own there.
        uid = f"u-{folder.name}" if self._google else "u-1"
        place = self._google.url if self._google else str(self._sink.port if self._sink else 0)
        answer = folder / "answer"
        answer.unlink(missing_ok=True)
        if self._sender.stdin is None or self._sender.stdout is None:
            raise RuntimeError("it has no pipes")
        self._sender.stdin.write(json.dumps(asdict(Order(str(folder), uid, step, place, str(answer)))) + "\n")
        self._sender.stdin.flush()
        bound = threading.Timer(BOUND_S, self._sender.kill)
        bound.start()
        status = self._sender.stdout.readline()
        bound.cancel()
        return Ended(int(status or 1), answer.read_text(encoding="utf-8").strip() if answer.exists() else "")


def main() -> int:
    """Kill as often as asked; the exit code says whether a mail went out twice, or got lost without a word."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    runs = int(parser.parse_args().runs)
    bad: list[Killing] = []
    with tempfile.TemporaryDirectory() as scratch, smtp_server() as sink, gmail_on_loopback() as google:
        for name, way in (("SMTP", Outboxes(Path(scratch) / "smtp", sink)), ("Gmail", Outboxes(Path(scratch) / "gmail", google=google))):
            with way as outboxes:
                steps = outboxes.steps_of_a_send()
                wrong = [killing for run in range(runs) if not (killing := outboxes.kill_at(run, 1 + run % steps)).is_good]
            sys.stdout.write(f"{runs} sends over {name} killed at {steps} steps, {len(wrong)} went wrong\n")
            bad += wrong
    sys.stdout.writelines(f"{killing}\n" for killing in bad)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
