"""Getting to know an engine: which answers it may be paired on, and what is said otherwise."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx2
import pytest
from pydantic import SecretStr

from agent.engine.pairing import KeyWanted, NotOurEngine, get_to_know
from agent.errors import EngineUnreachable
from inference.contract.headers import CONTRACT_VERSION
from tests.fakes.certificate import make_certificate
from tests.fakes.https_server import https_server

URL = "http://127.0.0.1:8000"
HEALTH: dict[str, object] = {"status": "ok", "contract": CONTRACT_VERSION, "version": "0.1.0", "loaded": []}
FAST = {"id": "fast", "meta": {"kind": "tier", "model": "nano", "state": "ready", "n_ctx": 4096}}

NO_MODEL: dict[str, list[object]] = {"data": [{}]}


def answering(health: object, models: tuple[int, object] = (200, {"data": [FAST]}), *, key: str | None = None) -> httpx2.Client:
    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/health":
            assert "authorization" not in request.headers
            return httpx2.Response(200, content=health if isinstance(health, bytes) else json.dumps(health).encode())
        if key is not None and request.headers.get("authorization") != f"Bearer {key}":
            return httpx2.Response(401, json={"error": {"message": "A valid key is needed", "type": "t", "code": "invalid_key"}})
        return httpx2.Response(models[0], json=models[1])

    return httpx2.Client(transport=httpx2.MockTransport(answer))


def test_an_engine_is_known_by_its_contract_and_what_it_serves():
    paired = get_to_know(URL, SecretStr("vk_1"), answering(HEALTH, key="vk_1"))
    assert (paired.version, [each.id for each in paired.served.data]) == ("0.1.0", ["fast"])


@pytest.mark.parametrize(("contract", "older"), [(CONTRACT_VERSION + 1, "this machine"), (CONTRACT_VERSION - 1, "the engine")])
def test_another_contract_is_refused_with_both_numbers_and_what_to_update(contract: int, older: str):
    with pytest.raises(NotOurEngine, match=f"Update {older}") as refused:
        get_to_know(URL, None, answering({**HEALTH, "contract": contract, "new": {}}))
    assert f"contract {contract}" in str(refused.value)
    assert f"speaks {CONTRACT_VERSION}" in str(refused.value)


@pytest.mark.parametrize("health", [b"<html>", {"status": "ok"}, [], b""])
def test_what_is_no_engine_is_told_apart(health: object):
    with pytest.raises(NotOurEngine, match="no engine of Variet"):
        get_to_know(URL, None, answering(health))


@pytest.mark.parametrize(("key", "said"), [(None, "wants a key"), (SecretStr("vk_2"), "does not know this key")])
def test_a_key_that_is_missing_or_wrong_is_told_with_how_to_make_one(key: SecretStr | None, said: str):
    with pytest.raises(KeyWanted, match=said) as refused:
        get_to_know(URL, key, answering(HEALTH, key="vk_1"))
    assert "keys add" in str(refused.value)
    assert "vk_2" not in str(refused.value)


def test_an_answer_that_makes_no_sense_is_no_traceback():
    with pytest.raises(NotOurEngine, match="something unexpected"):
        get_to_know(URL, None, answering(HEALTH, (200, NO_MODEL)))


def test_nobody_there_is_told_as_such():
    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused", request=request)

    with pytest.raises(EngineUnreachable), httpx2.Client(transport=httpx2.MockTransport(refuse)) as http:
        get_to_know(URL, None, http)


@pytest.fixture
def plain() -> Iterator[str]:
    """A server without a certificate; host and port."""
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def told_of(url: str) -> str:
    with pytest.raises(EngineUnreachable) as refused, httpx2.Client(trust_env=False) as http:
        get_to_know(url, None, http)
    return str(refused.value)


def test_a_wrong_scheme_is_told_as_that_and_not_as_an_engine_that_is_off(plain: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    without = told_of(f"https://{plain}")
    cert, key = make_certificate(tmp_path)
    with https_server(cert, key, "{}") as server:
        needed = told_of(server.url.replace("https:", "http:"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = told_of(f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert "its address begins with http://" in without
    assert "its address begins with https://" in needed
    assert "Start it with `variet engine serve`" in nobody
    assert "engine serve" not in without + needed
    capfd.readouterr()


def test_an_engine_elsewhere_is_started_on_its_own_machine():
    assert "on its machine with `variet engine serve`" in str(EngineUnreachable("http://192.168.1.10:8000"))
