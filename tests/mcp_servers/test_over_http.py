"""A tool server over streamable HTTP: who gets in, both generations of the protocol, progress, cancellation, an orderly end."""

from __future__ import annotations

import json
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import anyio
import httpx2
import pytest
from click.testing import CliRunner
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from pydantic import SecretStr

from config.paths import HOME_VARIABLE
from mcp_servers.cli import mcp
from mcp_servers.protocol import over_http
from mcp_servers.protocol.bind import Bind
from mcp_servers.protocol.calls import Call, Outcome
from mcp_servers.protocol.over_http import http_server, listening, tls_context
from mcp_servers.protocol.progress import check
from mcp_servers.protocol.serving import ToolServer, build, threaded
from mcp_servers.protocol.signatures import Param, ToolSpec
from tests.fakes.certificate import make_certificate
from tests.mcp_servers.calling import NOW
from tests.mcp_servers.test_serving import BOUND_S, call, check_garbage, check_list, text_of

TOKEN = SecretStr("correct-horse-battery-staple")
BEARER = {"Authorization": f"Bearer {TOKEN.get_secret_value()}"}
HELLO = {
    "jsonrpc": "2.0", "id": 1, "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}  # fmt: skip
MCP = {"Accept": "application/json, text/event-stream"}
PAGE = "http://127.0.0.1:8080"
MODES = ("legacy", "2026-07-28")
"""A handshake and a session; neither."""


class Slow:
    """A tool that works until it is told to end or given up."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.may_end = threading.Event()
        self.given_up = threading.Event()
        self.runs: list[str] = []

    def work(self, call: Call) -> Outcome:
        self.runs.append(call.text("name"))
        self.begun.release()
        try:
            while not self.may_end.wait(0.02):
                check()
        except BaseException:
            self.given_up.set()
            raise
        return Outcome("done", {})

    def server(self) -> ToolServer:
        spec = ToolSpec("work", "Work.", "read", (Param("name", "which"),))
        return ToolServer("slow", (spec,), threaded({"work": self.work}))


@asynccontextmanager
async def served(server: ToolServer, bind: Bind | None = None) -> AsyncGenerator[str]:
    """The server in this very loop; its address."""
    bind = bind or Bind("127.0.0.1", 0)
    context = tls_context(bind)
    with listening(bind) as listener, anyio.fail_after(BOUND_S):
        web = http_server(build(server), bind, TOKEN, context)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(web.serve, [listener])
            yield f"http{'' if context is None else 's'}://127.0.0.1:{listener.getsockname()[1]}/mcp"
            web.should_exit = True


@asynccontextmanager
async def client_of(url: str, mode: str, token: SecretStr = TOKEN) -> AsyncGenerator[Client]:
    headers = {"Authorization": f"Bearer {token.get_secret_value()}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=BOUND_S, trust_env=False) as http,
        Client(streamable_http_client(url, http_client=http), read_timeout_seconds=BOUND_S, mode=mode) as client,  # pyright: ignore[reportArgumentType]
    ):
        yield client


@contextmanager
def running(name: str, *options: str, home: Path) -> Generator[tuple[subprocess.Popen[str], str, str]]:
    """The command as a process, its address, and what it says about its token."""
    command = [sys.executable, "-m", f"mcp_servers.{name}", *options, "--http", "0"]
    with subprocess.Popen(command, env={HOME_VARIABLE: str(home)}, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            said = process.stderr.readline()
            address, _, kept = said.removeprefix(f"{name} listens on ").partition("; its token is in ")
            yield process, address, kept.strip()
        finally:
            process.kill()


def private_token(file: str) -> SecretStr:
    assert Path(file).stat().st_mode & 0o777 == 0o600
    return SecretStr(Path(file).read_text(encoding="utf-8").strip())


async def test_a_server_keeps_a_token_serves_both_generations_and_ends_in_order(tmp_path: Path) -> None:
    with running("calendars", "--store", str(tmp_path / "calendars"), home=tmp_path / "home") as (process, url, kept):
        token = private_token(kept)
        with anyio.fail_after(BOUND_S):
            for mode in MODES:
                async with client_of(url, mode, token) as client:
                    await check_list(client, "calendars")
                    await check_garbage(client, "calendars")
                    assert text_of(await call(client, "list_events", {"when": "tomorrow"})) == "Sun 22 Nov 2026: no events"
            async with client_of(url, "legacy", token):
                # Its stream is open, and does not hold the end up.
                process.send_signal(signal.SIGTERM)
                assert await anyio.to_thread.run_sync(process.wait, BOUND_S) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    with running("calendars", "--store", str(tmp_path / "calendars"), home=tmp_path / "home") as (_, _, again):
        assert private_token(again) == token


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal")
@pytest.mark.usefixtures("hang_up_counts")
def test_a_server_whose_terminal_goes_ends_in_order(tmp_path: Path) -> None:
    with running("calendars", "--store", str(tmp_path / "calendars"), home=tmp_path / "home") as (process, url, _):
        assert httpx2.get(url, trust_env=False, timeout=BOUND_S).status_code == 401
        process.send_signal(signal.SIGHUP)
        assert process.wait(BOUND_S) == 0


@pytest.mark.parametrize(
    ("headers", "status", "word"),
    [
        ({"Authorization": ""}, 401, "token is needed"),
        ({"Authorization": "Bearer wrong"}, 401, "token is needed"),
        ({"Authorization": "Bearer"}, 401, "token is needed"),
        ({"Authorization": f"Basic {TOKEN.get_secret_value()}"}, 401, "token is needed"),
        ({"Host": "evil.example"}, 421, "not called that"),
        ({"Host": "192.168.1.2"}, 421, "not called that"),
        ({"Origin": "https://evil.example"}, 403, "may not use"),
        ({"Origin": "null"}, 403, "may not use"),
        ({"Origin": "http://localhost:9"}, 403, "may not use"),
    ],
)
async def test_nobody_else_gets_in(headers: dict[str, str], status: int, word: str) -> None:
    async with served(Slow().server()) as url, httpx2.AsyncClient(trust_env=False) as http:
        for method in ("POST", "GET", "DELETE"):
            answer = await http.request(method, url, headers={**BEARER, **MCP, **headers}, json=HELLO)
            assert answer.status_code == status
            assert word in answer.json()["error"]["message"]
            assert answer.json()["error"]["message"].endswith(".")
            assert "mcp-session-id" not in answer.headers


async def test_bodies_paths_and_sessions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(over_http, "MAX_SESSIONS", 2)
    monkeypatch.setattr(over_http, "MAX_BODY_BYTES", 10_000)
    async with served(Slow().server()) as url, httpx2.AsyncClient(trust_env=False, headers={**BEARER, **MCP}) as http:
        assert (await http.post(url.replace("/mcp", "/other"), json=HELLO)).status_code == 404
        assert (await http.post(url, content=json.dumps(HELLO) + " " * 10_000)).status_code == 413
        first = await http.post(url, json=HELLO)
        assert [first.status_code, (await http.post(url, json=HELLO)).status_code] == [200, 200]
        assert (await http.post(url, json=HELLO)).status_code == 503
        assert (await http.delete(url, headers={"Mcp-Session-Id": first.headers["mcp-session-id"]})).status_code == 200
        assert (await http.post(url, json=HELLO)).status_code == 200


async def test_a_page_that_was_allowed_gets_in_with_the_token_alone() -> None:
    bind = Bind("127.0.0.1", 0, origins=(PAGE,))
    async with served(Slow().server(), bind) as url, httpx2.AsyncClient(trust_env=False) as http:
        asks = {"Origin": PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,mcp-session-id"}
        before = await http.options(url, headers=asks)
        assert (before.status_code, before.headers["access-control-allow-origin"]) == (200, PAGE)
        assert "mcp-session-id" in before.headers["access-control-allow-headers"]
        assert (await http.options(url, headers={**asks, "Origin": "http://127.0.0.1:8081"})).status_code == 400
        assert (await http.post(url, headers={"Origin": PAGE, **MCP}, json=HELLO)).status_code == 401
        let_in = await http.post(url, headers={"Origin": PAGE, **MCP, **BEARER}, json=HELLO)
        assert (let_in.status_code, let_in.headers["access-control-allow-origin"]) == (200, PAGE)
        assert "Mcp-Session-Id" in let_in.headers["access-control-expose-headers"]


async def test_with_a_certificate_it_speaks_https(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)
    bind = Bind("127.0.0.1", 0, tls_cert=cert, tls_key=key)
    trust = ssl.create_default_context(cafile=str(cert))
    async with served(Slow().server(), bind) as url, httpx2.AsyncClient(trust_env=False, verify=trust) as http:
        assert url.startswith("https://")
        assert (await http.post(url, headers={**BEARER, **MCP}, json=HELLO)).status_code == 200
        make_certificate(tmp_path)  # renewed, in its place
        renewed = ssl.create_default_context(cafile=str(cert))
        async with httpx2.AsyncClient(trust_env=False, verify=renewed) as later:
            assert (await later.post(url, headers={**BEARER, **MCP}, json=HELLO)).status_code == 200
        assert (await http.post(url, headers={**BEARER, **MCP}, json=HELLO)).status_code == 200, "a connection that is there goes on"


@pytest.mark.parametrize("mode", MODES)
async def test_a_client_that_asks_for_progress_hears_that_its_call_runs(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_servers.protocol.serving.BEAT_S", 0.05)
    slow, heard = Slow(), list[tuple[float, str | None]]()

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        assert total is None
        heard.append((progress, message))
        if len(heard) == 3:
            slow.may_end.set()

    async with served(slow.server()) as url, client_of(url, mode) as client:
        assert text_of(await client.call_tool("work", {}, progress_callback=hear)) == "done"
    assert [progress for progress, _ in heard] == sorted({progress for progress, _ in heard})
    assert "work has run for" in str(heard[0][1])


@pytest.mark.parametrize("mode", MODES)
async def test_a_call_that_is_given_up_ends(mode: str) -> None:
    slow = Slow()
    async with served(slow.server()) as url, client_of(url, mode) as client, anyio.create_task_group() as calls:

        async def work() -> None:
            await client.call_tool("work", {})

        calls.start_soon(work)
        await anyio.to_thread.run_sync(slow.begun.acquire)
        calls.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            assert await anyio.to_thread.run_sync(slow.given_up.wait, BOUND_S)


async def test_a_call_that_is_given_up_while_it_waits_for_its_turn_never_begins() -> None:
    slow = Slow()
    work = slow.server().handlers["work"]
    second = anyio.CancelScope()

    async def wait_for_its_turn() -> None:
        with second:
            await work(Call({"name": "second"}, NOW))

    with anyio.fail_after(BOUND_S):
        async with anyio.create_task_group() as first:
            first.start_soon(work, Call({"name": "first"}, NOW))
            await anyio.to_thread.run_sync(slow.begun.acquire)
            async with anyio.create_task_group() as waiting:
                waiting.start_soon(wait_for_its_turn)
                await anyio.sleep(0.2)
                second.cancel()
            assert second.cancelled_caught
            slow.may_end.set()
    assert slow.runs == ["first"]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--http", "192.168.1.2:8100"), "--allow-plain-http"),
        (("--http", "0.0.0.0:8100", "--allow-plain-http"), "every network"),
        (("--http", "florp"), "is no place to listen"),
        (("--http", "0", "--allow-origin", "*"), "is no origin"),
    ],
)
def test_a_place_that_would_expose_it_is_wrong_usage(options: tuple[str, ...], word: str, tmp_path: Path) -> None:
    ran = CliRunner().invoke(mcp, ["calendars", "--store", str(tmp_path), *options])
    assert (ran.exit_code, word in " ".join(ran.output.split())) == (2, True)


@pytest.mark.parametrize("token", ["short", "with blanks in the middle of it", "x" * 19])
def test_a_token_that_can_be_tried_out_is_refused(token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VARIET_MCP_CALENDARS_TOKEN", token)
    ran = CliRunner().invoke(mcp, ["calendars", "--store", str(tmp_path), "--http", "0"])
    assert ran.exit_code == 2
    assert "cannot be used" in ran.output
    assert token not in ran.output
