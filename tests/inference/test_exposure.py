"""What clients with limited keys get over HTTP, what becomes of one whose key is taken away, and TLS as a client meets it."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import anyio
import httpx2
import pytest

from config.paths import Home
from config.schema import ServerSection
from inference.door.keys import Keys, load_keys
from inference.door.keys import add_key as make_key
from inference.door.tls import tls_context
from inference.errors import TlsRefused
from tests.fakes.certificate import make_certificate
from tests.fakes.children import FakeChildren
from tests.fakes.upstream import Exchange, serve_upstream
from tests.inference.engines import ASKED, engine, error_of, frame, until

BOUND_S = 60
"""For a process to start or end on a busy machine."""


def shown(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@pytest.mark.anyio
async def test_a_limited_key_gets_what_it_allows_and_is_told_what_that_is(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    some, screen = make_key(file, "phone", tiers=("fast",)), make_key(file, "screen", is_read_only=True)
    async with serve_upstream() as upstream:
        children = FakeChildren(port=upstream.port, loads_at_once=True)
        with anyio.fail_after(BOUND_S):
            async with engine(children, tmp_path, keys=load_keys(file)) as on:
                assert (await on.client.post("/v1/embeddings", json=ASKED)).status_code == 401
                assert (await on.client.post("/v1/embeddings", json=ASKED, headers=shown(some))).status_code == 200
                for path, body in (
                    ("/v1/embeddings", {"model": "balanced"}),
                    # Another name of the same model, and no name at all while that model is loaded.
                    ("/v1/embeddings", {"model": "small"}),
                    ("/v1/embeddings", {}),
                    ("/engine/switch", {"tier": "balanced"}),
                    ("/engine/load", {"model": "large"}),
                    ("/engine/unload", {}),
                ):
                    refused = await on.client.post(path, json=body, headers=shown(some))
                    assert error_of(refused) == (403, "tier_not_allowed"), path
                    assert "fast" in refused.json()["error"]["message"]
                forced = await on.client.post("/engine/switch", json={"tier": "fast", "force": True}, headers=shown(some))
                assert error_of(forced) == (403, "tier_not_allowed")
                for path in ("/metrics", "/engine/logs/balanced", "/engine/logs/large"):
                    assert error_of(await on.client.get(path, headers=shown(some))) == (403, "tier_not_allowed"), path
                    assert (await on.client.get(path, headers=shown(screen))).status_code == 200, path
                assert (await on.client.get("/engine/logs/fast", headers=shown(some))).status_code == 200
                assert (await on.client.post("/engine/unload", json={"model": "fast"}, headers=shown(some))).status_code == 200
                assert (await on.client.get("/engine/status", headers=shown(screen))).status_code == 200
                assert error_of(await on.client.post("/v1/embeddings", json=ASKED, headers=shown(screen))) == (403, "read_only_key")
                # A model that is asked for its properties would be loaded for it.
                assert error_of(await on.client.get("/props?model=balanced", headers=shown(screen))) == (403, "read_only_key")


@pytest.mark.anyio
async def test_a_key_that_is_taken_away_ends_its_stream_and_its_wait_at_once(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    lost = make_key(file, "lost")
    async with serve_upstream() as upstream, anyio.create_task_group() as tasks:
        begun, broken, refused = anyio.Event(), anyio.Event(), anyio.Event()

        async def stream(exchange: Exchange) -> None:
            await exchange.begin_stream()
            await exchange.chunk(frame("one"))
            await exchange.until_client_leaves()

        upstream.script = stream
        children = FakeChildren(port=upstream.port, loads_at_once=True)
        with anyio.fail_after(BOUND_S):
            async with engine(children, tmp_path, keys=load_keys(file)) as on:

                async def listen() -> None:
                    with pytest.raises(httpx2.RemoteProtocolError):
                        async with on.client.stream("POST", "/v1/chat/completions", json=ASKED, headers=shown(lost)) as answer:
                            async for _ in answer.aiter_bytes():
                                begun.set()
                    broken.set()

                async def wait() -> None:
                    queued = await on.client.post("/v1/embeddings", json={"model": "balanced"}, headers=shown(lost))
                    assert error_of(queued) == (401, "invalid_key")
                    refused.set()

                tasks.start_soon(listen)
                await begun.wait()
                tasks.start_soon(wait)
                await until(on.supervisor, lambda state: len(state.waiters) == 1)
                on.gate.replace(Keys())
                await broken.wait()
                await refused.wait()
                await upstream.client_left.wait()
                await until(on.supervisor, lambda state: not state.waiters and not any(model.leases for model in state.models.values()))


def section(cert: Path, key: Path) -> ServerSection:
    return ServerSection(tls_cert=cert, tls_key=key)


def test_a_certificate_that_cannot_be_used_is_refused_with_the_reason(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path / "one")
    other_cert, _ = make_certificate(tmp_path / "two")
    _, locked = make_certificate(tmp_path / "three", password=b"secret")
    assert tls_context(ServerSection()) is None
    assert tls_context(section(cert, key)) is not None
    for given, said in (
        ((tmp_path / "none.pem", key), "none.pem cannot be read"),
        ((cert, tmp_path / "none.pem"), "none.pem cannot be read"),
        ((other_cert, key), "does not belong to the certificate"),
        ((cert, locked), "is encrypted"),
        ((key, key), "cannot be used"),
    ):
        with pytest.raises(TlsRefused, match=said):
            tls_context(section(*given))
    if os.name == "posix":
        key.chmod(0o644)
        with pytest.raises(TlsRefused, match="chmod 600"):
            tls_context(section(cert, key))


def test_an_engine_with_a_certificate_speaks_https_and_bounds_what_it_reads(home: Home, tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path / "tls")
    home.engine_toml.write_text(
        f'[server]\ntls_cert = "{cert.as_posix()}"\ntls_key = "{key.as_posix()}"\nmax_header_kib = 8\nmax_body_mib = 1\n', encoding="utf-8"
    )
    file = home.run_dir / "engine.json"
    command = [sys.executable, "-m", "inference", "serve", "--port", "0", "--port-file", str(file)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env={**os.environ, **home.environment()}) as process:
        try:
            deadline = time.monotonic() + BOUND_S
            while not file.exists():
                assert time.monotonic() < deadline
                time.sleep(0.02)  # another process has no event to wait for
            url: str = json.loads(file.read_bytes())["url"]
            assert url.startswith("https://127.0.0.1:")
            context = ssl.create_default_context(cafile=str(cert))
            with httpx2.Client(base_url=url, verify=context, timeout=BOUND_S, trust_env=False) as client:
                assert client.get("/health").json()["status"] == "ok"
                assert [client.get(route).json()["max_body_mib"] for route in ("/v1/models", "/engine/status")] == [1, 1]
                assert error_of(client.get("/health", headers={"x-padding": "x" * 9000})) == (431, "headers_too_large")
                assert error_of(client.post("/v1/embeddings", content=b" " * (2**20 + 1))) == (413, "body_too_large")
            with pytest.raises(httpx2.ConnectError):
                httpx2.get(f"{url}/health", timeout=BOUND_S, trust_env=False)  # nobody vouches for that certificate
            with pytest.raises(httpx2.TransportError):
                httpx2.get(f"http{url.removeprefix('https')}/health", timeout=BOUND_S, trust_env=False)
            port = int(url.rsplit(":", 1)[1])
            with context.wrap_socket(socket.create_connection(("127.0.0.1", port), BOUND_S), server_hostname="127.0.0.1") as raw:
                # A head without an end: refused as soon as it is too long, in the one shape. In one piece, so that all of it is read.
                raw.sendall(b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\nx-endless: " + b"x" * 11 * 1024)
                said = b""
                while b"\r\n\r\n" not in said:
                    said += raw.recv(4096)
                assert said.startswith(b"HTTP/1.1 431 ")
        finally:
            process.terminate()
            process.wait(BOUND_S)
