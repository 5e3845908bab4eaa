"""A mail to a real SMTP server through the whole service: taken back it never leaves, else once, and after `kill -9` on a new yes alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import aclosing
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
import pytest

from agent.events import TURN_ENDS, ApprovalNeeded, Event
from agent.held_events import ToolHeld
from agent.launch import is_running
from agent.service.attach import attach, end_service
from agent.service.client import ServiceClient
from agent.turns.holding import MISSED, TAKEN_BACK
from config.paths import Home
from config.vocabulary import BUILTINS
from tests.fakes.mail_servers import Sink, smtp_server
from tests.fakes.scripted_model import Say, scripted_model

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(300)]
BOUND_S = 240.0
LONG_S, SHORT_S = 500.0, 1.5
OTHERS = "\n".join(f"[servers.{name}]\nenabled = false" for name in BUILTINS if name != "outbox")
MAIL = {"to": "bruno@example.org", "subject": "Lunch", "body": "Yes, at noon."}


def answer(request: dict[str, Any]) -> Say:
    """A model that sends one mail, and then says what it was told."""
    last = request["messages"][-1]
    return Say(str(last["content"])) if last["role"] == "tool" else Say(calls=[("send_mail", MAIL)])


def settle(home: Home, url: str, sink: Sink, hold_s: float) -> None:
    account = f'address = "me@example.org"\nsmtp_host = "127.0.0.1"\nsmtp_port = {sink.port}\nsmtp_security = "none"\nsmtp_login = false'
    told = f'[engine]\nurl = "{url}"\n[agent]\nsend_hold_s = {hold_s}\n{OTHERS}\n[mail.accounts.work]\n{account}\n'
    home.agent_toml.write_text(told, encoding="utf-8")


async def play(service: ServiceClient, session: str, *, after: int = 0, until: type | None = None) -> list[Event]:
    """Send the mail (or go on with it) and approve it, up to an event or to the end of the turn."""
    seen: list[Event] = []
    async with service.listening(session, after=after) as events, aclosing(events):
        if not after:
            await service.send(session, "mail Bruno that noon is fine", who="cli")
        async for event in events:
            seen += [event] if event.seq else []
            if event.type in TURN_ENDS or (until is not None and isinstance(event, until)):
                return seen
            if isinstance(event, ApprovalNeeded) and event.approval in {needed.approval for needed in await service.approvals()}:
                await service.approve(event.approval, digest=event.digest, granted=True, who="cli")
    raise AssertionError("the stream ended before the turn")


async def undo(home: Home) -> Any:
    """What `variet undo --json` says, in a process of its own."""
    command = [sys.executable, "-m", "bots.cli", "undo", "--json"]
    run = partial(subprocess.run, command, env={**os.environ, **home.environment()}, capture_output=True, text=True, timeout=BOUND_S)
    done = await anyio.to_thread.run_sync(run)
    return done.returncode, json.loads(done.stdout)


async def test_taken_back_it_never_leaves_else_once_and_after_a_kill_only_on_a_new_yes(home: Home) -> None:
    with smtp_server() as sink:
        async with scripted_model(answer) as model:
            with anyio.fail_after(BOUND_S):
                settle(home, model.url, sink, LONG_S)
                await _taken_back(home)
                assert sink.mails == []
                settle(home, model.url, sink, SHORT_S)
                await _killed(home, sink)
                await end_service(home)
    assert [recipients for _, recipients, _ in sink.mails] == [("bruno@example.org",)]


async def _taken_back(home: Home) -> None:
    async with attach(home, on_status=lambda _: None) as service:
        session = await service.open_session()
        seen = await play(service, session, until=ToolHeld)
        code, told = await undo(home)
        assert (code, [row["session"] for row in told["taken_back"]], told["too_late"]) == (0, [session], [])
        rest = await play(service, session, after=seen[-1].seq)
        assert [event.type for event in rest] == ["tool_taken_back", "tool_finished", "model_replied", "turn_done"]
        assert [event.answer for event in rest if event.type == "turn_done"] == [TAKEN_BACK]
    await end_service(home)


async def _killed(home: Home, sink: Sink) -> None:
    async with attach(home, on_status=lambda _: None) as service:
        session = await service.open_session()
        seen = await play(service, session, until=ToolHeld)
        os.kill(service.address.pid, signal.SIGKILL)
        while is_running(service.address.pid):  # noqa: ASYNC110 - another process ends
            await anyio.sleep(0.05)
    await anyio.sleep(SHORT_S)
    assert sink.mails == []
    async with attach(home, on_status=lambda _: None) as service:
        rest = await play(service, session, after=seen[-1].seq)
        again = [event for event in rest if isinstance(event, ApprovalNeeded)]
        assert [(MISSED in each.lines, dict(each.lines)["To"]) for each in again] == [(True, "bruno@example.org")]
        types = [event.type for event in rest]
        assert types[:4] == ["approval_needed", "approval_answered", "tool_held", "tool_started"]
        assert (types[-1], await service.holds()) == ("turn_done", [])
