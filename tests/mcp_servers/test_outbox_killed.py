"""`kill -9` of the outbox at every step of a send: never two mails, and never none without a word."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.fakes.gmail import gmail_on_loopback
from tests.fakes.mail_servers import smtp_server
from tests.fakes.outbox_killings import SENT, Killing, Outboxes

RUNS = int(os.environ.get("VARIET_OUTBOX_KILLS") or 12)
"""CI kills 20 times, `make soak` 200 times with `python -m tests.fakes.outbox_killings --runs 200`."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def kill_everywhere(outboxes: Outboxes) -> list[Killing]:
    with outboxes:
        steps = outboxes.steps_of_a_send()
        assert steps >= 10
        # Spread over all steps, so that fewer runs than steps still reach the last one.
        return [outboxes.kill_at(run, 1 + (run * max(steps, RUNS)) // RUNS % steps) for run in range(RUNS)]


def test_a_send_that_is_killed_anywhere_goes_out_once_when_it_is_approved_again(tmp_path: Path) -> None:
    done = kill_everywhere(Outboxes(tmp_path))
    assert [killing for killing in done if not killing.is_good or killing.said != SENT] == []
    assert {killing.sent_at_first for killing in done} == {0, 1}


def test_a_send_over_smtp_that_is_killed_anywhere_never_goes_out_twice_and_what_nobody_knows_is_said(tmp_path: Path) -> None:
    with smtp_server() as sink:
        done = kill_everywhere(Outboxes(tmp_path, sink))
    assert [killing for killing in done if not killing.is_good] == []
    assert {killing.sent_at_first for killing in done} == {0, 1}
    assert any(killing.said == SENT for killing in done)
    assert any(killing.said != SENT for killing in done)


def test_a_send_over_gmail_that_is_killed_anywhere_never_goes_out_twice_and_what_nobody_knows_is_said(tmp_path: Path) -> None:
    with gmail_on_loopback() as google:
        done = kill_everywhere(Outboxes(tmp_path, google=google))
    assert [killing for killing in done if not killing.is_good] == []
    assert {killing.sent_at_first for killing in done} == {0, 1}
    assert any(killing.said == SENT for killing in done)
