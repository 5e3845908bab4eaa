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
from mcp_servers.mailstore import MailStore
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
        """It was killed; then there is exactly one mail, no draft that would go out again, and the answer says so."""
        return self.was_killed and self.sent_at_first <= 1 and (self.said, self.sent, self.drafts) == (SENT, 1, 0)


def steps_of_a_send(folder: Path) -> int:
    """How many steps an undisturbed send has.

    Raises:
        RuntimeError: it did not send.
    """
    _draft(folder).close()
    whole = _run(folder, 0)
    said, _, count = whole.stdout.strip().partition("\n")
    if said != SENT:
        raise RuntimeError(f"nothing was sent: {whole.stdout}{whole.stderr}")
    return int(count)


def kill_at(folder: Path, step: int) -> Killing:
    """One send that is killed at a step, and one that comes after it with another approval."""
    mails = _draft(folder)
    try:
        killed = _run(folder, step)
        at_first = len(mails.sent.entries())
        again = _run(folder, 0)
        said = (again.stdout.splitlines() or [again.stderr])[0]
        is_killed = killed.returncode == -signal.SIGKILL
        return Killing(step, is_killed, at_first, said, len(mails.sent.entries()), len(mails.drafts.entries()))
    finally:
        mails.close()


def _draft(folder: Path) -> MailStore:
    mails = MailStore(folder)
    MailTools(mails).draft_mail(call(to="bruno@example.org", body="Yes.")).execute()
    return mails


def _run(folder: Path, step: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.fakes.dying_outbox", str(folder), "u-1", str(step)]
    return subprocess.run(command, capture_output=True, text=True, timeout=BOUND_S, check=False)


def main() -> int:
    """Kill as often as asked; the exit code says whether a mail went out twice, or got lost without a word."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    runs = int(parser.parse_args().runs)
    with tempfile.TemporaryDirectory() as scratch:
        steps = steps_of_a_send(Path(scratch) / "whole")
        done = [kill_at(Path(scratch) / str(run), 1 + run % steps) for run in range(runs)]
    bad = [killing for killing in done if not killing.is_good]
    sys.stdout.write(f"{runs} sends killed at {steps} steps, {len(bad)} went wrong\n")
    sys.stdout.writelines(f"{killing}\n" for killing in bad)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
