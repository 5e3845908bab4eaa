"""Other people's servers: the official conformance suite against the agent's own MCP client (`conformance_client.py` beside it).

Needs what `tests/foreign/test_foreign_clients.py` needs. Left out of what the suite has for clients, each with the reason:

- `auth/*`: the client shows a token that it was given and does not log in anywhere; a server that wants more is a sentence to the person.
- `sep-2640-client-*`: an extension (resources that a client fetches and checks) that the client does not say it had.
"""

from __future__ import annotations

import sys
from pathlib import Path

import anyio
import pytest

from tests.foreign.test_foreign_clients import MODULES, SUITE, node

pytestmark = [
    pytest.mark.skipif(not MODULES, reason="the foreign clients are not installed: tests/foreign/package-lock.json"),
    pytest.mark.timeout(600),
]
CLIENT_MS = 120_000
AT_ONCE = 3
"""Each is a program of theirs and one of ours, which start slowly and then do little."""
SCENARIOS = (
    "initialize",
    "tools_call",
    "elicitation-sep1034-client-defaults",
    "sse-retry",
    "json-schema-2020-12-preservation",
    # Of the revision 2026-07-28 alone.
    "request-metadata",
    "sep-2322-client-request-state",
    "http-standard-headers",
    "http-custom-headers",
    "http-invalid-tool-headers",
    "json-schema-ref-no-deref",
)


async def test_the_official_suite_is_content_with_the_client(tmp_path: Path) -> None:
    found: dict[str, str] = {}
    at_once = anyio.CapacityLimiter(AT_ONCE)

    async def run(scenario: str) -> None:
        async with at_once:
            ran = await node(
                SUITE, "client", "--command", f"{sys.executable} -m tests.foreign.conformance_client", "--scenario", scenario,
                "--timeout", str(CLIENT_MS), "--output-dir", str(tmp_path), home=tmp_path,
            )  # fmt: skip
        said = ran.stdout.decode()
        found[scenario] = "" if ran.returncode == 0 and "OVERALL: PASSED" in said else said[-3000:]

    async with anyio.create_task_group() as tasks:
        for scenario in SCENARIOS:
            tasks.start_soon(run, scenario)
    assert {scenario: said for scenario, said in found.items() if said} == {}
    assert set(found) == set(SCENARIOS)
