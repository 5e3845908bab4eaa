"""Kills the agent at random points of a turn that sends a mail, again and again, and counts what came of it.

The agent, its tool servers and the folder of sent mails are real; the model is scripted, and the person says yes. Run it as
`python -m tests.fakes.turn_killings --runs 500`.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from agent.events import Event, ToolFinished
from agent.sessions.store import Store
from config.paths import Home
from mcp_servers.mailbox.store import MailStore
from tests.fakes.scripted_model import Say, scripted_model

BOUND_S = 300.0
"""For one agent from its start to its end."""
STARTED = 7
"""The event after which the mail goes out, of ten."""
POINTS = (1, 2, 3, 4, 5, 6, STARTED, STARTED, STARTED, 8, 9)
"""Events after which it is killed; where it matters, more often than elsewhere."""
LATER_S = 0.1
"""An agent is killed up to so much after one of them."""
MAIL = {"to": "bruno@example.org", "subject": "Lunch", "body": "Yes, at noon."}
NOT_KNOWN = "It is not known whether this"
"""Begins what is said when a mail may have gone out."""


@dataclass(frozen=True)
class Killing:
    """What one killed turn left, and what came of it when the agent was there again."""

    after: int
    """Events that the agent had told when it was killed."""
    later_s: float
    was_killed: bool
    """It had not ended by then."""
    sent_at_first: int
    """Mails that had gone out when it was started again."""
    said: tuple[str, ...]
    """Results of the call, each once."""
    is_ok: bool
    end: str
    sent: int

    @property
    def is_good(self) -> bool:
        """Once, or said not to be known."""
        is_told = len(self.said) == 1 and (self.sent == 1 if self.is_ok else self.said[0].startswith(NOT_KNOWN))
        return self.sent <= 1 and is_told and self.end == "turn_done"


def answer(request: dict[str, Any]) -> Say:
    """The model: it sends one mail, and has done; asked again after a restart, it says the same again."""
    return Say("Done.") if request["messages"][-1]["role"] == "tool" else Say(calls=[("send_mail", MAIL)])


async def kill_at(place: Path, *, after: int, later_s: float) -> Killing:
    """One turn that is killed so long after so many events, and an agent that goes on with what it finds."""
    home = Home.at(place)
    home.prepare()
    (home.data_dir / "real").write_text("outbox")
    async with scripted_model(answer) as model:
        with anyio.fail_after(BOUND_S):
            was_killed = await _killed(home, model.url, after=after, later_s=later_s)
        sent_at_first = _sent(home)
        with anyio.fail_after(BOUND_S):
            await anyio.run_process(_command(home, model.url, "-"), stdout=subprocess.DEVNULL, stderr=None)
    log = _log(home)
    results = [event for event in log if isinstance(event, ToolFinished)]
    return Killing(
        after, later_s, was_killed, sent_at_first, tuple(event.text for event in results), any(event.ok for event in results),
        log[-1].type if log else "", _sent(home),
    )  # fmt: skip


def draw(seed: int, runs: int) -> list[tuple[int, float]]:
    """Points to kill at: after how many events, and how many seconds later."""
    drawn = random.Random(seed)
    return [(drawn.choice(POINTS), drawn.uniform(0.0, LATER_S)) for _ in range(runs)]


async def _killed(home: Home, url: str, *, after: int, later_s: float) -> bool:
    """Start it, and kill it; whether it still lived."""
    async with await anyio.open_process(_command(home, url, "go"), stderr=None) as process:
        assert process.stdout is not None
        told = b""
        while told.count(b"\n") < after:
            try:
                told += await process.stdout.receive()
            except anyio.EndOfStream:
                break
        await anyio.sleep(later_s)
        with contextlib.suppress(ProcessLookupError):  # it has ended by itself
            process.kill()
        return await process.wait() < 0


def _command(home: Home, url: str, text: str) -> list[str]:
    return [sys.executable, "-m", "tests.agent.crashing_runtime", str(home.root), url, text]


def _log(home: Home) -> list[Event]:
    store = Store(home.state_dir / "sessions.sqlite3")
    try:
        return [event for info in store.sessions() for event in store.events(info.session)]
    finally:
        store.close()


def _sent(home: Home) -> int:
    mails = MailStore(home.data_dir / "mail")
    try:
        return len(mails.sent.entries())
    finally:
        mails.close()


async def kill_all(scratch: Path, points: list[tuple[int, float]]) -> list[Killing]:
    """One turn in a home of its own for each point."""
    return [await kill_at(scratch / str(run), after=after, later_s=later_s) for run, (after, later_s) in enumerate(points)]


def main() -> int:
    """Kill as often as asked; the exit code says whether a mail went out twice, or got lost without a word."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        done = anyio.run(kill_all, Path(scratch), draw(options.seed, options.runs))
    bad = [killing for killing in done if not killing.is_good]
    killed = [killing for killing in done if killing.was_killed]
    before, unknown = sum(killing.sent_at_first for killing in killed), sum(not killing.is_ok for killing in killed)
    sys.stdout.write(
        f"{len(killed)} of {len(done)} turns were killed before their end (seed {options.seed}): in {before} of them the mail was out, "
        f"of {unknown} it is said that nobody knows, {len(bad)} of all went wrong\n"
    )
    sys.stdout.writelines(f"{killing}\n" for killing in bad)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
