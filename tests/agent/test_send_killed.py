"""`kill -9` of the agent at random points of a turn that sends a mail: never two mails, and never none without a word."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.fakes.turn_killings import STARTED, Killing, draw, kill_all

QUICK = 2
RUNS = int(os.environ.get("VARIET_TURN_KILLS") or QUICK)
"""CI kills 30 times, `make soak` 500 times with `python -m tests.fakes.turn_killings --runs 500`."""
pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(3600)]


def drawn() -> list[tuple[int, float]]:
    """With few runs just around the send, where it matters: on its way, done but not written down, and done on a slow machine too."""
    return draw(1, RUNS) if RUNS > QUICK else [(STARTED, 0.0), (STARTED, 0.05), (STARTED, 1.0)]


async def test_a_mail_goes_out_once_or_is_said_not_to_be_known_wherever_the_agent_is_killed(tmp_path: Path) -> None:
    done = await kill_all(tmp_path, drawn())
    assert [killing for killing in done if not killing.is_good] == []
    assert any(killing.was_killed for killing in done)
    assert any(killing.sent for killing in done)
    if RUNS > QUICK:
        assert {killing.sent_at_first for killing in done if killing.was_killed} == {0, 1}


@pytest.mark.parametrize(
    ("killing", "is_good"),
    [
        (Killing(3, 0.1, True, 0, ("Sent.",), True, "turn_done", 1), True),
        (Killing(3, 0.1, True, 0, ("It is not known whether this took effect.",), False, "turn_done", 0), True),
        (Killing(0, 0.1, True, 0, (), False, "", 0), False),
        (Killing(3, 0.1, True, 0, ("Sent.",), True, "turn_done", 2), False),
        (Killing(3, 0.1, True, 0, ("Sent.",), True, "turn_done", 0), False),
        (Killing(3, 0.1, True, 0, (), False, "turn_done", 0), False),
        (Killing(3, 0.1, True, 0, ("Sent.", "Sent."), True, "turn_done", 1), False),
        (Killing(3, 0.1, True, 0, ("Sent.",), True, "turn_started", 1), False),
    ],
)
def test_twice_silently_and_unended_are_no_good_ends(killing: Killing, is_good: bool) -> None:
    assert killing.is_good is is_good
