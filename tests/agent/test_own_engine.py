"""The engine that the service starts for itself, on a machine whose settings speak of one that other machines reach."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import anyio
import httpx2
import pytest
from pydantic import SecretStr

from agent import cli
from agent.engine.child import ConfiguredEngine, EmbeddedEngine
from agent.engine.client import EngineClient
from agent.engine.key import EngineKey
from agent.errors import AgentError, ModelFailed
from agent.faces.mcp.door import mcp_door
from agent.service.door import Door
from agent.sessions import session
from config.paths import Home
from config.schema import AgentSettings
from inference.door.keys import KEY_FILE, add_key
from tests.fakes.certificate import make_certificate

pytestmark = pytest.mark.anyio

BOUND_S = 90
"""For a process to start on a busy machine."""


@pytest.mark.parametrize("host", ["192.0.2.7", "::1"])
async def test_it_lets_its_parent_in_whatever_address_certificate_and_keys_the_settings_have(home: Home, tmp_path: Path, host: str):
    cert, key = make_certificate(tmp_path / "house", address=host)
    home.engine_toml.write_text(
        f'[server]\nhost = "{host}"\ntls_cert = "{cert.as_posix()}"\ntls_key = "{key.as_posix()}"\n'
        '[models.gone]\npath = "/nowhere/gone.gguf"\n[tiers]\nfast = "gone"\n',
        encoding="utf-8",
    )
    add_key(home.config_dir / KEY_FILE, "machine-b")
    engine = EmbeddedEngine(home, command=(sys.executable, "-m", "inference", "serve"))
    with anyio.fail_after(BOUND_S):
        try:
            url = await engine.url()
            async with httpx2.AsyncClient(trust_env=False) as http:
                models = await EngineClient(url, EngineKey(engine.own_key), http).models()
                with pytest.raises(ModelFailed, match="wants a key"):
                    await EngineClient(url, EngineKey(None), http).models()
        finally:
            await engine.stop()
    assert {each.id for each in models.data} == {"fast", "gone"}
    assert engine.own_key.get_secret_value() not in (home.log_dir / "engine.log").read_text(encoding="utf-8")


async def test_the_service_shows_its_own_engine_the_key_that_it_gave_it_and_another_one_the_kept_key(
    home: Home, monkeypatch: pytest.MonkeyPatch
):
    shown: list[object] = []

    def kept_key(_: Home) -> SecretStr:
        return SecretStr("kept")

    def open_runtime(*_: object, engine_key: SecretStr | Callable[[], SecretStr | None], **__: object) -> None:
        shown.append(engine_key() if callable(engine_key) else engine_key)
        raise AgentError("That was all.")

    monkeypatch.setattr(session, "open_runtime", open_runtime)
    monkeypatch.setattr(cli, "_read_key", kept_key)
    own = EmbeddedEngine(home)
    for engine in (own, ConfiguredEngine("http://192.168.1.10:8000")):
        with pytest.raises(AgentError, match="That was all"):
            async with cli._open_runtime(home, AgentSettings(), None, Door(None, None), mcp_door(home, None), engine):  # pyright: ignore[reportPrivateUsage]
                pass
    assert shown == [own.own_key, SecretStr("kept")]
