"""A certificate that is renewed in its place is shown by what runs already, and one that cannot be used changes nothing."""

from __future__ import annotations

import logging
import os
import ssl
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import anyio.to_thread
import httpx2
import pytest

from config.network import certificate
from config.network.certificate import shown_as_it_is
from config.network.trust import trust_of
from config.schema import ServerSection
from inference.contract import ReloadAnswer
from inference.door.incoming import Receive, Scope, Send
from inference.door.listening import Front, Server, open_front
from tests.fakes.certificate import make_certificate
from tests.inference.engines import error_of
from tests.inference.test_reload import BOTH, reloading

pytestmark = pytest.mark.anyio
BOUND_S = 20


async def shown_by(front: Front) -> str:
    """The certificate that a new connection is shown."""
    place = ("127.0.0.1", front.listener.getsockname()[1])
    return (await anyio.to_thread.run_sync(lambda: ssl.get_server_certificate(place, timeout=BOUND_S))).strip()


async def test_a_renewed_certificate_is_shown_to_new_connections_and_an_open_stream_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cert, key = make_certificate(tmp_path / "house")
    other_cert, other_key = make_certificate(tmp_path / "other")
    may_end = anyio.Event()

    async def stream(scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        await may_end.wait()
        await send({"type": "http.response.body", "body": b"ended", "more_body": False})

    with (
        anyio.fail_after(BOUND_S),
        caplog.at_level(logging.WARNING, "config.network.certificate"),
        open_front(ServerSection(tls_cert=cert, tls_key=key), 0, has_keys=False) as front,
    ):
        server = Server(front.config(stream))
        async with anyio.create_task_group() as tasks, httpx2.AsyncClient(verify=trust_of(cert), trust_env=False) as http:
            tasks.start_soon(server.serve, [front.listener])
            async with http.stream("GET", front.url) as answer:
                chunks = answer.aiter_raw()
                assert await anext(chunks) == b"begun"
                first = await shown_by(front)
                assert first == cert.read_text(encoding="ascii").strip()

                cert.write_bytes(other_cert.read_bytes())
                assert [await shown_by(front) for _ in range(2)] == [first, first], "the key is still that of the first"
                assert len(caplog.records) == 1 and "does not belong" in caplog.text
                key.write_bytes(other_key.read_bytes())
                second = await shown_by(front)
                assert second == other_cert.read_text(encoding="ascii").strip() != first
                key.unlink()
                assert await shown_by(front) == second

                caplog.clear()
                make_certificate(tmp_path / "house")
                key.chmod(0o600)
                assert await shown_by(front) == cert.read_text(encoding="ascii").strip() != second
                assert len(caplog.records) == 1 and str(cert) in caplog.text
                may_end.set()
                assert await anext(chunks) == b"ended"
            server.end()


def test_files_that_do_not_answer_hold_up_nobody_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cert, key = make_certificate(tmp_path / "house")
    monkeypatch.setattr(certificate, "LOOK_BOUND_S", 0.05)
    may_answer = threading.Event()
    contexts = [ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) for _ in range(2)]
    unread = iter(contexts)

    def read() -> ssl.SSLContext:
        context = next(unread)
        assert context is contexts[0] or may_answer.wait(BOUND_S)
        return context

    begin: Any = shown_as_it_is(cert, key, read).sni_callback
    os.utime(cert, (1, 1))
    connection = SimpleNamespace(context=contexts[0])
    for _ in range(3):
        begin(connection, None, None)
    assert connection.context is contexts[0]
    may_answer.set()
    ends = time.monotonic() + BOUND_S
    while connection.context is contexts[0] and time.monotonic() < ends:
        begin(connection, None, None)
    assert connection.context is contexts[1]


async def test_a_reload_tells_that_the_certificate_is_another_one_and_refuses_one_that_cannot_be_used(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path / "house")
    kept = ReloadAnswer(kept=("large", "small"))
    async with reloading(tmp_path, {"server.tls_cert": str(cert), "server.tls_key": str(key)}) as it:
        assert await it.reload(BOTH) == kept
        make_certificate(tmp_path / "house")
        assert await it.reload(BOTH) == kept.model_copy(update={"applied": ("server.tls_cert",)})
        assert await it.reload(BOTH) == kept
        os.replace(make_certificate(tmp_path / "other")[1], key)
        answer = await it.on.client.post("/engine/reload")
        assert error_of(answer) == (422, "settings_refused")
        assert "does not belong" in answer.json()["error"]["message"]


async def test_a_certificate_that_the_settings_name_no_more_may_be_gone(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path / "house")
    named = {"server.tls_cert": str(cert), "server.tls_key": str(key)}
    async with reloading(tmp_path, named) as it:
        key.unlink()
        cert.unlink()
        named.clear()
        answer = await it.reload(BOTH)
        assert (answer.applied, answer.needs_restart) == ((), ("server.tls_cert", "server.tls_key"))
