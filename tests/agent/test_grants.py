"""The agent's own way to the outbox: what it runs is sealed, what it prepares is not, and the outbox takes nobody else's word."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from pydantic import SecretStr

from agent.safety.grants import GRANT_KEY, granted
from agent.tools.launches import server_specs
from agent.tools.toolbox import Toolbox
from config.paths import Home
from config.shapes.agent import AgentSettings, ServerEntry

pytestmark = pytest.mark.anyio
MAIL: dict[str, Any] = {"to": "bo@example.org", "body": "Yes.", "subject": "Dinner"}


def outbox_alone(home: Home) -> Toolbox:
    off = {name: ServerEntry(builtin=name, enabled=False) for name in ("calendars", "mail", "searxng")}
    return Toolbox(server_specs(home, AgentSettings(servers={**off, "outbox": ServerEntry(builtin="outbox", start_timeout_s=90)})))


async def test_a_call_that_was_decided_is_sent_and_one_with_a_forged_seal_is_not(home: Home) -> None:
    with anyio.fail_after(110):
        async with outbox_alone(home).running() as box:
            await box.tools()
            prepared = await box.call("send_mail", MAIL, meta={"variet/prepare": True}, is_read=True)
            assert prepared.structured is not None
            call = prepared.structured["prepared"]
            meta = {"variet/host": call["host"]}
            # As a read, it gets no seal: nothing that only prepares or looks can send.
            unsealed = await box.call("send_mail", call["arguments"], meta=meta, is_read=True)
            assert unsealed.text.startswith("Not sent: ")
            forged = granted("send_mail", call["arguments"], meta, key=SecretStr("00" * 32), nonce="00" * 16, now=2_000_000_000)
            refused = await box.call("send_mail", call["arguments"], meta=forged, is_read=True)
            assert refused.is_error
            sent = await box.call("send_mail", call["arguments"], meta=meta, is_read=False)
            assert sent.text == 'Sent to bo@example.org, subject "Dinner": Yes.'
    assert len(list((home.data_dir / "mail" / "Sent" / "cur").iterdir())) == 1


def test_a_grant_shows_nothing_of_the_key() -> None:
    key = SecretStr("ab" * 32)
    meta = granted("send_mail", MAIL, {}, key=key, nonce="00" * 16, now=0.0)
    assert set(meta[GRANT_KEY]) == {"digest", "nonce", "expires_at", "seal"}
    assert "ab" * 32 not in json.dumps(meta)


async def test_no_child_of_the_outbox_inherits_the_key(tmp_path: Path) -> None:
    program = (
        "import os, subprocess, sys\n"
        "from mcp_servers.outbox.keys import take_key\n"
        "assert take_key(os.environ)\n"
        "print(subprocess.run([sys.executable, '-c', 'import os; print(os.environ)'], capture_output=True, text=True).stdout)"
    )
    with anyio.fail_after(60):
        ran = await anyio.run_process([sys.executable, "-c", program], env={"VARIET_OUTBOX_KEY": "canary-4711", "PATH": "/usr/bin:/bin"})
    assert b"PATH" in ran.stdout
    assert b"canary" not in ran.stdout
