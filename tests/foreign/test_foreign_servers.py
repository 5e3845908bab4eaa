"""Other people's servers: the official conformance suite against the agent's own MCP client (`conformance_client.py` beside it).

Needs what `tests/foreign/test_foreign_clients.py` needs. Its OAuth scenarios are not run: the client
shows a token that it was given.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.foreign.test_foreign_clients import MODULES, SUITE, node

pytestmark = [
    pytest.mark.skipif(not MODULES, reason="the foreign clients are not installed: tests/foreign/package-lock.json"),
    pytest.mark.timeout(600),
]
CLIENT_MS = 120_000


@pytest.mark.parametrize("scenario", ["tools_call"])
async def test_the_official_suite_is_content_with_the_client(scenario: str, tmp_path: Path) -> None:
    ran = await node(
        SUITE, "client", "--command", f"{sys.executable} -m tests.foreign.conformance_client", "--scenario", scenario,
        "--timeout", str(CLIENT_MS), "--output-dir", str(tmp_path), home=tmp_path,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout.decode()[-6000:]
    assert "OVERALL: PASSED" in ran.stdout.decode()
