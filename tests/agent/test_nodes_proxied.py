"""A server outside is asked through the proxy that the environment names, and one whose address is excepted there is asked directly."""

from __future__ import annotations

import os

import pytest

from agent.engine.key import EngineKey
from agent.errors import AgentError, ModelFailed
from agent.routes.places.external import OpenAIModel
from config.network.far_end import OPTIONS
from tests.agent.test_wire import saying, serving

pytestmark = pytest.mark.anyio

BODY = b'{"model": "m", "messages": []}'
REFUSED = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
AWAY = "http://model.invalid"
"""A name that no machine has: only a proxy can answer for it."""


@pytest.fixture(autouse=True)
def no_other_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


async def asked(url: str) -> None:
    model = OpenAIModel("cloud", f"{url}/v1", EngineKey(None))
    try:
        with pytest.raises(ModelFailed, match="status 401"):
            await model.complete(BODY, on_text=lambda _: None)
    finally:
        await model.close()


@pytest.mark.parametrize("variable", ["http_proxy", "all_proxy"])
async def test_a_server_outside_is_asked_through_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    async with serving(saying(REFUSED)) as proxy:
        monkeypatch.setenv(variable, proxy.url)
        await asked(AWAY)
    (heard,) = proxy.heard
    assert heard.startswith(f"POST {AWAY}/v1/chat/completions ".encode())


async def test_one_that_is_excepted_is_asked_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(saying(REFUSED)) as proxy, serving(saying(REFUSED)) as near:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        await asked(near.url)
    assert proxy.heard == []
    (heard,) = near.heard
    assert heard.startswith(b"POST /base/v1/chat/completions ")


async def test_the_system_asks_for_the_proxy_and_for_who_is_excepted_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(saying(REFUSED)) as proxy, serving(saying(REFUSED)) as near:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        http = OpenAIModel("n", near.url, EngineKey(None))._client._client  # pyright: ignore[reportPrivateUsage]
        async with http, http.stream("GET", AWAY) as through, http.stream("GET", near.url) as direct:
            for response in (through, direct):
                connection = response.extensions["network_stream"].get_extra_info("socket")
                # macOS tells a flag that is set by its own number.
                assert [connection.getsockopt(level, option) in (value, option) for level, option, value in OPTIONS] == [True] * len(
                    OPTIONS
                )


async def test_a_proxy_that_the_client_does_not_speak_to_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "socks://127.0.0.1:9")
    with pytest.raises(AgentError, match=r"node cloud .*proxy.*socks"):
        OpenAIModel("cloud", "https://model.invalid/v1", EngineKey(None))
