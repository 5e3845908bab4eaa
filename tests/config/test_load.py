"""Settings: where they come from, and that whatever is wrong is told with file, key, what was found and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.load import ConfigError, load_agent, load_engine
from config.paths import Home
from config.schema import AgentSettings, EngineSettings


def _engine_file(folder: Path, text: str) -> Path:
    file = folder / "engine.toml"
    file.write_text(text, encoding="utf-8")
    return file


def _agent_file(folder: Path, text: str) -> Path:
    file = folder / "agent.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_without_any_file_the_model_that_ships_runs_as_two_tiers(home: Home):
    settings = load_engine(home=home, environ={})
    assert settings == EngineSettings()
    assert dict(settings.tiers) == {"fast": "nano", "balanced": "nano-wide"}
    assert {settings.models[model].path for model in settings.tiers.values()} == {"builtin:nano"}


def test_without_any_file_the_four_tool_servers_run_and_the_engine_is_the_embedded_one(home: Home):
    settings = load_agent(home=home, environ={})
    assert settings == AgentSettings()
    assert settings.engine.url is None
    assert set(settings.servers) == {"calendars", "mail", "outbox", "searxng"}


def test_the_file_in_the_home_is_found(home: Home):
    _engine_file(home.config_dir, "[server]\nport = 9000")
    assert load_engine(home=home, environ={}).server.port == 9000
    assert load_engine(environ={"VARIET_HOME": str(home.root)}).server.port == 9000


def test_environment_wins_over_the_file_and_overrides_over_both(tmp_path: Path):
    file = _engine_file(tmp_path, "[server]\nport = 9000\nhost = '127.0.0.2'\n[queue]\nlimit = 5")
    environ = {"VARIET_ENGINE__SERVER__PORT": "9001", "VARIET_ENGINE__QUEUE__LIMIT": "6", "VARIET_AGENT__ENGINE__URL": "not for us"}
    settings = load_engine(file, {"server.port": 0, "queue": {"max_wait_s": 1.5}}, environ=environ)
    assert (settings.server.port, settings.server.host) == (0, "127.0.0.2")
    assert (settings.queue.limit, settings.queue.max_wait_s) == (6, 1.5)


def test_the_environment_reaches_names_that_the_shell_cannot_spell(tmp_path: Path):
    file = _engine_file(tmp_path, "[models.nano-wide]\npath = 'builtin:nano'")
    environ = {"VARIET_ENGINE__MODELS__NANO_WIDE__SLOTS": "8", "VARIET_ENGINE__RUNTIMES__LLAMA_SERVER__BINARY": "llama-server"}
    settings = load_engine(file, environ=environ)
    assert settings.models["nano-wide"].slots == 8
    assert settings.runtimes.llama_server.binary == "llama-server"


def test_files_named_in_settings_are_relative_to_the_settings_file(tmp_path: Path):
    file = _engine_file(tmp_path, "[models.a]\npath = 'files/a.gguf'\nmmproj = '~/eye.gguf'\n[models.b]\npath = 'builtin:nano'")
    settings = load_engine(file, environ={})
    assert settings.models["a"].path == str(tmp_path / "files/a.gguf")
    assert settings.models["a"].mmproj == Path("~/eye.gguf").expanduser()
    assert settings.models["b"].path == "builtin:nano"


def test_models_of_ones_own_come_without_the_default_tiers(tmp_path: Path):
    settings = load_engine(_engine_file(tmp_path, "[models.a]\npath = 'a.gguf'"), environ={})
    assert list(settings.models) == ["a"]
    assert settings.tiers == {}


def test_a_built_in_server_is_switched_off_by_its_name_and_others_join(tmp_path: Path):
    file = _agent_file(tmp_path, "[servers.mail]\nenabled = false\n[servers.notes]\ncommand = ['notes-mcp', '--stdio']")
    servers = load_agent(file, environ={}).servers
    assert (servers["mail"].builtin, servers["mail"].enabled) == ("mail", False)
    assert servers["notes"].command == ("notes-mcp", "--stdio")
    assert servers["calendars"].enabled


ENGINE_REFUSALS = {
    "unknown key": ("[server]\nprot = 1", "server.prot", "unknown key", "did you mean `port`? Keys here: host, port, max_body_mib"),
    "unknown section": ("[modles.a]\npath = 'x'", "modles", "unknown key", "did you mean `models`?"),
    "unknown key of a model": ("[models.a]\npath = 'x'\nctx = 3", "models.a.ctx", "unknown key", "context, slots"),
    "unknown key of sampling": ("[virtual.v]\nmodel = 'nano'\nsampling = {top = 1}", "virtual.v.sampling.top", "unknown key", "`top_p`"),
    "text for a number": ("[server]\nport = '8000'", "server.port", '"8000"', "a whole number"),
    "fraction for a whole number": ("[models.a]\npath = 'x'\nslots = 1.5", "models.a.slots", "1.5", "a whole number"),
    "number for a text": ("[server]\nhost = 3", "server.host", "3", "a text in quotes"),
    "number for a list": ("[models.a]\npath = 'x'\ngpus = 1", "models.a.gpus", "1", "a list"),
    "text in a list of numbers": ("[models.a]\npath = 'x'\ngpus = [0, 'b']", "models.a.gpus.1", '"b"', "a whole number"),
    "number for a file": ("[models.a]\npath = 'x'\ndraft = 1", "models.a.draft", "1", "a file name"),
    "value for a section": ("server = 3", "server", "3", "a section"),
    "out of range": ("[server]\nport = 70000", "server.port", "70000", "at most 65535"),
    "not one of the choices": ("[models.a]\npath = 'x'\ncache_type_k = 'q9'", "models.a.cache_type_k", '"q9"', "'q8_0'"),
    "missing": ("[models.a]\nslots = 1", "models.a.path", "nothing", "required"),
    "no models": ("models = {}", "models", "a section with nothing", "at least 1"),
    "name with a space": ("[models.'a b']\npath = 'x'", "models.a b", '"a b"', "text like"),
    "tier without model": ("[models.a]\npath = 'x'\n[tiers]\nfast = 'b'", "tiers.fast", '"b"', "one of a"),
    "virtual without model": ("[virtual.v]\nmodel = 'fast'", "virtual.v.model", '"fast"', "one of nano, nano-wide"),
    "alias of nothing": ("[aliases]\ngpt = 'fats'", "aliases.gpt", '"fats"', "one of balanced, fast, nano, nano-wide"),
    "one name twice": ("[aliases]\nnano = 'fast'", "aliases.nano", "already in [models]", "a name of its own"),
    "a home of nobody": (
        "[models.a]\npath = '~nobody-at-all/a.gguf'",
        "models.a.path",
        "no home folder `~nobody-at-all`",
        "`~/` for your own home folder",
    ),
    "shares without GPUs": (
        "[models.a]\npath = 'x'\ngpus = [0]\ntensor_split = [1, 1]",
        "models.a.tensor_split",
        "2 shares",
        "one per GPU: 1",
    ),
}


@pytest.mark.parametrize("case", ENGINE_REFUSALS)
def test_a_wrong_engine_file_is_refused_with_key_finding_and_what_is_allowed(case: str, tmp_path: Path):
    text, key, found, allowed = ENGINE_REFUSALS[case]
    file = _engine_file(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_engine(file, environ={})
    assert (caught.value.file, caught.value.key) == (str(file), key)
    assert found in caught.value.found
    assert allowed in caught.value.allowed
    assert str(caught.value).startswith(f"{file}: {key}: found ")


AGENT_REFUSALS = {
    "no such zone": ("[agent]\nzone = 'Europe/Berlni'", "agent.zone", '"Europe/Berlni"', "Europe/Berlin"),
    "tag without #": ("[routing.tags]\ndeep = 'balanced'", "routing.tags.deep", '"deep"', "text like ^#"),
    "half a verdict": ("[policy.tools]\nsend_mail = 'maybe'", "policy.tools.send_mail", '"maybe"', "'allow', 'ask' or 'deny'"),
    "server without a kind": ("[servers.x]\nenabled = true", "servers.x", "enabled", "either `builtin`, `command` or `url`"),
    "server with an empty command": ("[servers.x]\ncommand = []", "servers.x", "command", "either `builtin`, `command` or `url`"),
    "server with two kinds": ("[servers.x]\ncommand = ['x']\nurl = 'https://x.example/mcp'", "servers.x", "command", "either `builtin`"),
    "server in the clear": ("[servers.x]\nurl = 'http://x.example/mcp'", "servers.x", "url", "plain `http` is for this machine"),
    "a variable that is a secret and is not": (
        "[servers.x]\ncommand = ['x']\nenv = { A = 'b' }\nsecrets = { A = 'a' }",
        "servers.x",
        "in `secrets` too",
        "`A` in one of them",
    ),
    "a secret itself": ("[servers.x]\ncommand = ['x']\nsecrets = { A = 'sk-X' }", "servers.x.secrets.A", "sk-X", "text like ^[a-z]"),
    "server with its secret in the address": ("[servers.x]\nurl = 'https://me:pw@x.example/mcp'", "servers.x", "", "server_NAME_token"),
    "a home of nobody in a list": (
        "[workspace]\nroots = ['/srv', '~nobody-at-all/x']",
        "workspace.roots.1",
        "no home folder `~nobody-at-all`",
        "a whole path",
    ),
    "not a URL": ("[engine]\nurl = 'machine-a:8000'", "engine.url", '"machine-a:8000"', "text like ^https?://"),
}


@pytest.mark.parametrize("case", AGENT_REFUSALS)
def test_a_wrong_agent_file_is_refused_with_key_finding_and_what_is_allowed(case: str, tmp_path: Path):
    text, key, found, allowed = AGENT_REFUSALS[case]
    with pytest.raises(ConfigError) as caught:
        load_agent(_agent_file(tmp_path, text), environ={})
    assert caught.value.key == key
    assert found in caught.value.found
    assert allowed in caught.value.allowed


def test_all_problems_are_told_at_once(tmp_path: Path):
    with pytest.raises(ConfigError) as caught:
        load_engine(_engine_file(tmp_path, "[server]\nprot = 1\nhost = 3\n[queue]\nlimit = 0"), environ={})
    assert {problem.key for problem in caught.value.problems} == {"server.prot", "server.host", "queue.limit"}


def test_broken_toml_is_told_with_its_line(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"engine\.toml.*no valid TOML.*line 2"):
        load_engine(_engine_file(tmp_path, "[server]\nport = \n"), environ={})


@pytest.mark.parametrize("value", ["9" * 5000, "[" * 5000 + "]" * 5000])
def test_a_value_that_python_refuses_to_read_is_refused_with_the_files_name(tmp_path: Path, value: str):
    with pytest.raises(ConfigError, match=r"engine\.toml: file: found a value that cannot be read"):
        load_engine(_engine_file(tmp_path, f"[server]\nport = {value}\n"), environ={})
    with pytest.raises(ConfigError, match=r"VARIET_ENGINE__SERVER__PORT.*server\.port.*whole number"):
        load_engine(_engine_file(tmp_path, ""), environ={"VARIET_ENGINE__SERVER__PORT": value})


def test_a_named_file_must_exist(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"other\.toml: file: found no such file"):
        load_engine(tmp_path / "other.toml", environ={})


@pytest.mark.parametrize("linked", ["config/agent.toml", "config", "."])
def test_a_link_that_leads_nowhere_is_no_wish_for_the_defaults(tmp_path: Path, linked: str):
    home, target = Home.at(tmp_path / "home"), tmp_path / "not-mounted" / "dotfiles"
    link = tmp_path / "home" / linked
    link.parent.mkdir(parents=True, exist_ok=True)
    assert load_agent(home=home, environ={}) == AgentSettings()
    link.symlink_to(target)
    with pytest.raises(ConfigError, match=r"no such file.*not-mounted.*dotfiles") as caught:
        load_agent(home=home, environ={})
    assert str(link) in str(caught.value)
    with pytest.raises(ConfigError, match=r"not-mounted.*dotfiles"):
        load_agent(home.agent_toml, environ={})


def test_a_file_that_is_not_text_is_refused(tmp_path: Path):
    file = tmp_path / "engine.toml"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="UTF-8"):
        load_engine(file, environ={})


def test_an_error_out_of_the_environment_names_the_variable(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"VARIET_ENGINE__SERVER__PORT.*server\.port.*whole number"):
        load_engine(_engine_file(tmp_path, ""), environ={"VARIET_ENGINE__SERVER__PORT": "many"})


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/"])
@pytest.mark.parametrize("section", ["engine", "nodes.big"])
def test_an_engines_address_is_taken_as_other_clients_write_it(tmp_path: Path, section: str, path: str) -> None:
    settings = load_agent(_agent_file(tmp_path, f"[{section}]\nurl = 'http://192.168.1.10:8000{path}'"), environ={})
    assert (settings.nodes["big"] if section == "nodes.big" else settings.engine).url == "http://192.168.1.10:8000"


@pytest.mark.parametrize(
    "rest", ["192.168.1.10:8000/api", "h:8000/v1/models", "h:8000?key=1", "h:8000#top", "me:secret@h:8000", "h:99999", "[::1"]
)
@pytest.mark.parametrize("section", ["engine", "nodes.big"])
def test_what_is_no_bare_address_of_an_engine_is_refused_with_its_key(tmp_path: Path, section: str, rest: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_agent(_agent_file(tmp_path, f"[{section}]\nurl = 'http://{rest}'"), environ={})
    assert caught.value.key == f"{section}.url"
    assert caught.value.allowed == "the engine's address without a path, such as http://192.168.1.10:8000"


def test_another_servers_address_keeps_its_path(tmp_path: Path) -> None:
    file = _agent_file(tmp_path, "[nodes.big]\nurl = 'https://models.example.com/api/v1'\nkind = 'openai'")
    assert load_agent(file, environ={}).nodes["big"].url == "https://models.example.com/api/v1"


def test_a_file_that_a_windows_editor_has_saved_is_read(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_bytes(b"\xef\xbb\xbf[engine]\r\nurl = 'http://192.168.1.10:8000'\r\n")
    assert load_agent(file, environ={}).engine.url == "http://192.168.1.10:8000"


@pytest.mark.parametrize("seconds", ["inf", "1e12", "nan"])
def test_an_approval_that_would_expire_at_no_date_is_refused_with_its_key(tmp_path: Path, seconds: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_agent(_agent_file(tmp_path, f"[agent]\napproval_ttl_s = {seconds}\n"), environ={})
    assert caught.value.key == "agent.approval_ttl_s"
    assert load_agent(_agent_file(tmp_path, "[agent]\napproval_ttl_s = 999999999\n"), environ={}).agent.approval_ttl_s == 999999999


@pytest.mark.parametrize("rest", ["h:80000/v1", "h:0/v1", "h:8000_/v1", "[::1:8000/v1", "h\u200b:8000/v1", ":8000/v1"])
@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("nodes.big.url", "[nodes.big]\nkind = 'openai'\nurl = '{}'"),
        ("nodes.big.mode_url", "[nodes.big]\nurl = 'http://h:8000'\nmode_url = '{}'"),
        ("searxng.urls.0", "[searxng]\nurls = ['{}']"),
    ],
)
def test_an_address_that_nobody_could_ask_is_refused_with_its_key(tmp_path: Path, key: str, text: str, rest: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_agent(_agent_file(tmp_path, text.format(f"http://{rest}")), environ={})
    assert caught.value.key == key
    assert "port" in caught.value.allowed


def test_what_does_nothing_beside_a_kind_of_server_ends_no_start(tmp_path: Path) -> None:
    text = "[servers.x]\nurl = 'https://x.example/mcp'\nenv = { A = 'b' }\n[servers.y]\ncommand = ['y']\nca = '/y.pem'\nenabled = false"
    servers = load_agent(_agent_file(tmp_path, text), environ={}).servers
    assert (servers["x"].env, servers["y"].ca) == ({"A": "b"}, Path("/y.pem"))
