"""`variet engine …` as a client: whom it trusts, whom it shows the key, and what a person is told."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import cast

import anyio
import anyio.to_thread
import pytest
from click.testing import CliRunner, Result
from pydantic import SecretStr

from config.credentials import write_secret
from config.paths import HOME_VARIABLE, Home
from inference import cli
from inference.cli import engine
from inference.commands.asking import access_to
from inference.contract import EngineStatus, ReloadAnswer
from inference.control import add_reload
from inference.door.keys import add_key, load_keys
from inference.errors import SettingsRefused
from tests.fakes.certificate import make_certificate
from tests.fakes.https_server import https_server
from tests.inference.engines import running, until

STATUS = EngineStatus(version="9", models=()).model_dump_json()
KEY = "vk_0badcafe_" + "7" * 64


@pytest.fixture(autouse=True)
def _asking_home(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(home.root))


def _ask(*arguments: str) -> Result:
    return CliRunner().invoke(engine, list(arguments))


def test_a_command_whose_library_is_missing_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cast("dict[str, str]", cli._COMMANDS), "top", "json.no_such_module:top")  # pyright: ignore[reportPrivateUsage]
    ran = _ask("top")
    assert ran.exit_code == 1
    assert '`variet engine top` needs "json", which is not installed.' in ran.output
    assert 'pip install "variet[engine,embedded]"' in ran.output


@pytest.mark.anyio
async def test_a_reload_says_what_came_of_it_or_why_not(tmp_path: Path) -> None:
    answers: list[ReloadAnswer | SettingsRefused] = [
        ReloadAnswer(kept=("small",), changed=("large",), needs_restart=("server.host",), overridden=("server.port: why",)),
        ReloadAnswer(kept=("small",)),
        ReloadAnswer(kept=("small",), added=("third",)),
        SettingsRefused("The settings stay as they were. engine.toml: server.prot: found an unknown key", is_permanent=True),
    ]

    async def reload() -> ReloadAnswer:
        if isinstance(answer := answers.pop(0), SettingsRefused):
            raise answer
        return answer

    async with running(tmp_path, bound_s=60) as (on, _, _):
        add_reload(on.control, reload)

        async def run(*options: str) -> Result:
            return await anyio.to_thread.run_sync(lambda: _ask("reload", "--url", on.url, *options))

        told = (await run()).output.splitlines()
        assert told[0] == "changed, and replaced when their streams have ended: large"
        assert told[1:] == ["needs a restart: server.host", "has no effect: server.port: why"]
        assert (await run()).output == "Nothing is different.\n"
        assert json.loads((await run("--json")).output)["added"] == ["third"]
        refused = await run()
    assert refused.exit_code == 2
    assert "server.prot: found an unknown key" in refused.output


@pytest.mark.anyio
async def test_an_unload_says_for_whom_models_are_loaded_again(tmp_path: Path) -> None:
    told: list[str] = []
    async with running(tmp_path, bound_s=60) as (on, _, _), anyio.create_task_group() as tasks:
        is_told = anyio.Event()

        async def unload(*arguments: str) -> None:
            told.append((await anyio.to_thread.run_sync(lambda: _ask("unload", "--url", on.url, *arguments))).output)
            is_told.set()

        with ExitStack() as answering:
            await answering.enter_context(on.supervisor.ticket("small")).wait_granted()
            tasks.start_soon(unload, "fast")
            await until(on.supervisor, lambda state: state.models["small"].unload_by is not None)
            with on.supervisor.ticket("small"), on.supervisor.ticket("large"):
                await until(on.supervisor, lambda state: len(state.waiters) == 2)
                answering.close()
                await is_told.wait()
        await unload()
        await unload("--json")
    first, second = told[0].splitlines()
    assert first == "Unloaded: small."
    assert "small (1 waiting), large (1 waiting)" in second
    assert "waiting" not in told[1]
    assert json.loads(told[2]) == {"unloaded": [], "waiting": {}}


@pytest.mark.anyio
async def test_who_is_not_let_in_is_told_where_a_key_comes_from_and_where_it_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "keys"
    mine = add_key(file, "mine")
    async with running(tmp_path, bound_s=60, keys=load_keys(file)) as (on, _, _):

        async def run(*arguments: str) -> Result:
            return await anyio.to_thread.run_sync(lambda: _ask(*arguments, "--url", on.url))

        for arguments in (("status",), ("top", "--json"), ("logs", "fast"), ("mode", "gaming")):
            told = await run(*arguments)
            assert told.exit_code == 1, arguments
            assert "Bearer" not in told.output
            assert f"{on.url} wants a key, and there is none for it here." in told.output
            assert "`variet engine keys add NAME`" in told.output
            assert "VARIET_ENGINE_KEY" in told.output
            assert f"variet connect {'URL' if arguments[0] == 'mode' else on.url}`" in told.output
        monkeypatch.setenv("VARIET_ENGINE_KEY", KEY)
        assert f"{on.url} does not take the key that it was shown." in (await run("status")).output
        monkeypatch.setenv("VARIET_ENGINE_KEY", mine)
        assert (await run("status")).exit_code == 0


def test_a_certificate_of_the_house_is_trusted_where_it_is_named(tmp_path: Path, home: Home) -> None:
    cert, key = make_certificate(tmp_path / "house")
    with https_server(cert, key, STATUS) as server:
        refused = _ask("status", "--url", server.url)
        assert refused.exit_code == 3
        assert "--ca FILE" in refused.output
        assert _ask("status", "--url", server.url, "--ca", str(cert), "--json").output == f"{STATUS}\n"
        home.agent_toml.write_text(f'[engine]\nurl = "{server.url}"\nca = "{cert.as_posix()}"\n', encoding="utf-8")
        assert _ask("status", "--url", server.url).exit_code == 0
        other, _ = make_certificate(tmp_path / "other")
        assert _ask("status", "--url", server.url, "--ca", str(other)).exit_code == 3
        assert _ask("status", "--url", server.url, "--ca", str(tmp_path / "gone.pem")).exit_code == 2
        # The engine of this machine's own settings shows the certificate that stands in them.
        port = server.url.rpartition(":")[2]
        home.agent_toml.unlink()
        home.engine_toml.write_text(
            f'[server]\nport = {port}\ntls_cert = "{cert.as_posix()}"\ntls_key = "{key.as_posix()}"\n', encoding="utf-8"
        )
        assert _ask("status").exit_code == 0


def test_a_certificate_of_another_address_is_told_as_that(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path / "house", address="192.168.1.10")
    with https_server(cert, key, STATUS) as server:
        refused = _ask("status", "--url", server.url, "--ca", str(cert))
    assert refused.exit_code == 3
    assert "made out to another name or address" in refused.output


def test_the_gaming_mode_is_asked_with_the_same_trust(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path / "house")
    with https_server(cert, key, '{"mode": "GAMING"}') as server:
        assert "--ca FILE" in _ask("mode", "--url", server.url).output
        assert _ask("mode", "--url", server.url, "--ca", str(cert)).output == "GAMING\n"


def test_a_kept_key_is_shown_to_the_machine_that_it_was_kept_for_and_to_this_one(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    write_secret("engine_key", SecretStr(KEY), home=home)
    home.agent_toml.write_text('[engine]\nurl = "https://192.168.1.10:8000"\n', encoding="utf-8")
    shown = {"authorization": f"Bearer {KEY}"}
    for url in ("https://192.168.1.10:8000", "https://192.168.1.10:18000", "http://127.0.0.1:8000", "http://localhost:9"):
        assert access_to(url, None, home).headers == shown
    for url in ("https://192.168.1.11:8000", "http://192.168.1.10:8000", "https://192.168.1.10.example.org:8000", "nonsense"):
        assert access_to(url, None, home).headers == {}
    monkeypatch.setenv("VARIET_ENGINE_KEY", KEY)
    assert access_to("https://192.168.1.11:8000", None, home).headers == shown


def test_a_home_that_is_connected_asks_the_engine_that_it_uses_unless_a_file_or_an_address_says_another(home: Home, tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path / "house")
    engine_toml = tmp_path / "other.toml"
    engine_toml.write_text("[server]\nport = 1\n", encoding="utf-8")
    with https_server(cert, key, STATUS) as server:
        home.agent_toml.write_text(f'[engine]\nurl = "{server.url}"\nca = "{cert}"\n', encoding="utf-8")
        assert json.loads(_ask("status", "--json").output)["version"] == "9"
        for options in (("--config", str(engine_toml)), ("--url", "http://127.0.0.1:1")):
            silent = _ask("status", *options)
            assert silent.exit_code == 3
            assert "No engine answers at http://127.0.0.1:1:" in silent.output
            assert "variet engine serve" in silent.output
    home.agent_toml.write_text('[engine]\nurl = "http://127.0.0.1:2"\n', encoding="utf-8")
    gone = _ask("status")
    assert "No engine answers at http://127.0.0.1:2:" in gone.output
    assert "engine.url of agent.toml" in gone.output
    assert "engine serve" not in gone.output


@pytest.mark.parametrize("arguments", [("logs", "fast", "--follow"), ("logs", "fast"), ("reload",), ("activity",)])
def test_without_an_engine_every_command_says_how_to_start_one(arguments: tuple[str, ...]) -> None:
    found = _ask(*arguments, "--url", "http://127.0.0.1:1")
    assert found.exit_code == 3
    assert "variet engine serve" in found.output
