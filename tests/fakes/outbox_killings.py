"""Kills the outbox at every step of a send, again and again, and counts what came of it.

Run it as `python -m tests.fakes.outbox_killings --runs 200`.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from mcp_servers.mail.server import MailTools
from mcp_servers.mailbox.store import MailStore
from mcp_servers.outbox.delivery import UNKNOWN
from tests.fakes.dying_outbox import SENDER
from tests.fakes.mail_servers import Sink, smtp_server
from tests.mcp_servers.calling import call

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


class Outboxes:
    """Outboxes in a folder each, which send to the folder `Sent`, or to a sink."""

    def __init__(self, scratch: Path, sink: Sink | None = None) -> None:
        self._scratch = scratch
        self._sink = sink

    def steps_of_a_send(self) -> int:
        """How many steps an undisturbed send has.

        Raises:
            RuntimeError: it did not send.
        """
        folder = self._scratch / "whole"
        _draft(folder).close()
        whole = self._run(folder, 0)
        said, _, count = whole.stdout.strip().partition("\n")
        if said != SENT:
            raise RuntimeError(f"nothing was sent: {whole.stdout}{whole.stderr}")
        return int(count)

    def kill_at(self, run: int, step: int) -> Killing:
        """One send that is killed at a step, and one that comes after it with another approval."""
        folder = self._scratch / str(run)
        mails = _draft(folder)
        before = len(self._sink.mails) if self._sink else 0
        try:
            killed = self._run(folder, step)
            at_first = self._sent(mails, before)
            again = self._run(folder, 0)
            said = (again.stdout.splitlines() or [again.stderr])[0]
            is_killed = killed.returncode == -signal.SIGKILL
            return Killing(step, is_killed, at_first, said, self._sent(mails, before), len(mails.drafts.entries()))
        finally:
            mails.close()

    def _sent(self, mails: MailStore, before: int) -> int:
        return len(self._sink.mails) - before if self._sink else len(mails.sent.entries())

    def _run(self, folder: Path, step: int) -> subprocess.CompletedProcess[str]:
        port = self._sink.port if self._sink else 0
        command = [sys.executable, "-m", "tests.fakes.dying_outbox", str(folder), "u-1", str(step), str(port)]
        return subprocess.run(command, capture_output=True, text=True, timeout=BOUND_S, check=False)


def _draft(folder: Path) -> MailStore:
    mails = MailStore(folder, addresses={"work": SENDER})
    MailTools(mails).draft_mail(call(to="bruno@example.org", body="Yes.")).execute()
    return mails


def main() -> int:
    """Kill as often as asked; the exit code says whether a mail went out twice, or got lost without a word."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    runs = int(parser.parse_args().runs)
    with tempfile.TemporaryDirectory() as scratch, smtp_server() as sink:
        outboxes = Outboxes(Path(scratch), sink)
        steps = outboxes.steps_of_a_send()
        done = [outboxes.kill_at(run, 1 + run % steps) for run in range(runs)]
    bad = [killing for killing in done if not killing.is_good]
    sys.stdout.write(f"{runs} sends killed at {steps} steps, {len(bad)} went wrong\n")
    sys.stdout.writelines(f"{killing}\n" for killing in bad)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
