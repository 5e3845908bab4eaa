"""`variet connect` as a command: what it keeps, where, and what it refuses before anything is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from click.testing import CliRunner
from pydantic import SecretStr

import agent.engine.connect
from agent.engine.connect import connect
from agent.engine.pairing import KeyWanted, NotOurEngine, Paired
from agent.errors import EngineUnreachable
from config.credentials import read_secret, write_secret
from config.load import load_agent
from config.paths import HOME_VARIABLE, Home
from inference.contract.status import ModelRates, ServedMeta, ServedModel, ServedModels
from tests.fakes.certificate import make_certificate

URL = "http://192.168.1.10:8000"
SERVED = ServedModels(data=(ServedModel(id="fast", meta=ServedMeta(kind="tier", model="nano", state="ready", n_ctx=4096)),))

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def shown() -> list[str | None]:
    """The keys that the engine got to see."""
    return []


@pytest.fixture
def run(home: Home, monkeypatch: pytest.MonkeyPatch, shown: list[str | None]) -> Run:
    monkeypatch.setenv(HOME_VARIABLE, str(home.root))

    def get_to_know(url: str, key: SecretStr | None, http: httpx2.Client) -> Paired:
        shown.append(key.get_secret_value() if key else None)
        if url.endswith(":9"):
            raise EngineUnreachable(url)
        if shown[-1] not in ("vk_1", None if url.endswith(":8001") else "vk_1"):
            raise KeyWanted(url, was_shown=key is not None)
        return Paired(url=url, version="0.1.0", contract=1, served=SERVED)

    monkeypatch.setattr(agent.engine.connect, "get_to_know", get_to_know)

    def invoke(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
        done = CliRunner().invoke(connect, list(arguments), input=stdin)
        return done.exit_code, done.stdout, done.stderr

    return invoke


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return make_certificate(tmp_path / "house")[0]


def kept_key(home: Home) -> str | None:
    key = read_secret("engine_key", home=home, environ={})
    return key.get_secret_value() if key else None


def test_the_key_is_kept_privately_and_the_address_beside_the_comments(home: Home, run: Run):
    home.agent_toml.write_text('# mine\n[engine]\n# url = "x"\n[routing]\ndefault_tier = "fast"\n', encoding="utf-8")
    code, out, err = run(f"{URL}/v1/", "--key-stdin", stdin="vk_1\n")
    assert (code, kept_key(home)) == (0, "vk_1")
    assert "fast" in out
    assert "readable" in err
    assert "vk_1" not in out + err
    assert load_agent(home=home).engine.url == URL
    assert home.agent_toml.read_text(encoding="utf-8").startswith('# mine\n[engine]\nurl = "http://192.168.1.10:8000"\n# url = "x"\n')


def test_what_the_tiers_can_do_and_how_fast_they_were_measured_is_told(run: Run, monkeypatch: pytest.MonkeyPatch):
    rates = ModelRates(prefill_tps=800.0, decode_tps=74.65, load_s=6.0)
    meta = ServedMeta(kind="tier", model="gemma", state="unloaded", n_ctx=32768, capabilities=("chat", "tools", "vision"), rates=rates)
    paired = Paired(url=URL, version="0.1.0", contract=1, served=ServedModels(data=(ServedModel(id="fast", meta=meta),)))

    def get_to_know(_url: str, _key: SecretStr | None, _http: httpx2.Client) -> Paired:
        return paired

    monkeypatch.setattr(agent.engine.connect, "get_to_know", get_to_know)
    assert "gemma; 32768 tokens of context; chat, tools, vision; 75 tokens/s; unloaded" in run(URL, "--key-stdin", stdin="vk_1\n")[1]
    (served,) = json.loads(run(URL, "--key-stdin", "--json", stdin="vk_1\n")[1])["served"]
    assert (served["capabilities"], served["rates"]["prefill_tps"]) == (["chat", "tools", "vision"], 800.0)


def test_a_refused_key_leaves_everything_as_it_was(home: Home, run: Run):
    code, _, err = run(URL, "--key-stdin", stdin="vk_2\n")
    assert (code, kept_key(home), home.agent_toml.exists()) == (1, None, False)
    assert "keys add" in err
    assert run("http://192.168.1.10:9")[0] == 3


def test_the_key_of_one_engine_is_never_shown_to_another(home: Home, run: Run, shown: list[str | None]):
    run(URL, "--key-stdin", stdin="vk_1\n")
    assert run(URL)[0] == 0
    assert run("http://192.168.1.11:8001")[0] == 0
    assert shown == ["vk_1", "vk_1", None]
    assert kept_key(home) is None


def test_settings_that_cannot_be_changed_safely_are_left_alone_with_the_key(home: Home, run: Run):
    text = 'engine = { url = "http://192.168.1.9:1" }\n'
    home.agent_toml.write_text(text, encoding="utf-8")
    write_secret("engine_key", SecretStr("old"), home=home)
    code, _, err = run(URL, "--key-stdin", stdin="vk_1\n")
    assert (code, kept_key(home), home.agent_toml.read_text(encoding="utf-8")) == (2, "old", text)
    assert "Write it yourself" in err


@pytest.mark.parametrize("text", ['engine.url = "URL" # mine\n', 'engine = { url = "URL" }\n', '["engine"]\nurl = "URL"\n'])
def test_a_key_is_kept_where_the_address_stands_in_another_form_already(home: Home, run: Run, text: str):
    home.agent_toml.write_text(text.replace("URL", URL), encoding="utf-8")
    write_secret("engine_key", SecretStr("old"), home=home)
    code, _, err = run(URL, "--key-stdin", stdin="vk_1\n")
    assert (code, kept_key(home)) == (0, "vk_1"), err
    assert home.agent_toml.read_text(encoding="utf-8") == text.replace("URL", URL)


@pytest.mark.parametrize(
    "url", ["192.168.1.10:8000", "ftp://x", "http://", "http://u:p@x", "http://x/other", "http://8.8.8.8:8000", "http://[::1"]
)
def test_what_is_no_address_of_an_engine_is_wrong_usage(run: Run, url: str):
    assert run(url)[0] == 2


@pytest.mark.parametrize("typed", ["", "two words\n", "ké\n"])
def test_what_is_no_key_is_wrong_usage(run: Run, typed: str):
    assert run(URL, "--key-stdin", stdin=typed)[0] == 2


def test_the_certificate_that_vouches_is_kept_with_its_engine_and_dropped_with_it(home: Home, run: Run, certificate: Path):
    house = "https://192.168.1.10:8000"
    assert run(house, "--ca", str(certificate), "--key-stdin", stdin="vk_1\n")[0] == 0
    assert load_agent(home=home).engine.ca == certificate
    assert run(house, "--key-stdin", stdin="vk_1\n")[0] == 0
    assert load_agent(home=home).engine.ca == certificate
    assert run("https://192.168.1.11:8001", "--key-stdin", stdin="vk_1\n")[0] == 0
    assert load_agent(home=home).engine.ca is None


def test_a_certificate_file_that_cannot_be_used_is_refused_before_anything_is_asked(home: Home, run: Run, shown: list[str | None]):
    empty = home.config_dir / "empty.pem"
    empty.touch()
    code, _, err = run("https://192.168.1.10:8000", "--ca", str(empty))
    assert (code, shown, home.agent_toml.exists()) == (2, [], False)
    assert "empty.pem holds no certificate" in err
    assert "--ca is for https" in run(URL, "--ca", str(empty))[2]


def test_what_answers_there_cannot_steer_the_terminal(run: Run, monkeypatch: pytest.MonkeyPatch):
    odd = "\x1b[2J\nConnected\x07"
    meta = ServedMeta(kind="tier", model=odd, state="ready", n_ctx=1, available=False, reason=odd)
    served = ServedModels(data=(ServedModel(id=odd, meta=meta),))

    def met(url: str, *_: object) -> Paired:
        return Paired(url=url, version=odd, contract=1, served=served)

    monkeypatch.setattr(agent.engine.connect, "get_to_know", met)
    code, out, _ = run(URL, "--key-stdin", stdin="vk_1\n")
    assert code == 0
    assert len(out.splitlines()) == 2
    assert all(line.isprintable() for line in out.splitlines())


def test_a_refusal_from_there_cannot_steer_the_terminal(run: Run, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> Paired:
        raise NotOurEngine("no\x1b[2J")

    monkeypatch.setattr(agent.engine.connect, "get_to_know", refuse)
    code, _, err = run(URL, "--key-stdin", stdin="vk_1\n")
    assert code == 1
    assert "\x1b" not in err


def test_a_file_with_a_mark_before_its_text_is_changed_and_keeps_it(home: Home, run: Run):
    home.agent_toml.write_bytes(b"\xef\xbb\xbf[engine]\r\nurl = 'http://10.0.0.1:8000'\r\n")
    code, _, err = run(URL, "--key-stdin", stdin="\ufeffvk_1\r\n")
    assert (code, kept_key(home)) == (0, "vk_1"), err
    assert home.agent_toml.read_bytes() == b'\xef\xbb\xbf[engine]\r\nurl = "http://192.168.1.10:8000"\r\n'


@pytest.mark.parametrize(("value", "warns"), [("vk_1\n", False), (" ", False), ("vk_2", True)])
def test_a_key_of_the_environment_is_warned_of_only_where_it_is_another_one(
    run: Run, monkeypatch: pytest.MonkeyPatch, value: str, *, warns: bool
):
    monkeypatch.setenv("VARIET_ENGINE_KEY", value)
    assert ("VARIET_ENGINE_KEY holds another key" in run(URL, "--key-stdin", stdin="vk_1\n")[2]) is warns
