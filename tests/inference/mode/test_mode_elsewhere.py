"""Gaming mode from a home whose engine is on another machine: that machine's mode is meant, wherever the command is typed."""

from __future__ import annotations

from pathlib import Path

import anyio.to_thread
import pytest
from click.testing import CliRunner, Result

import inference.commands.mode
from config.paths import HOME_VARIABLE, Home
from inference.cli import engine
from inference.mode.obey import ObeyedMode
from inference.mode.state import mode_file, read_mode
from tests.inference.engines import running

ADDRESS = "192.0.2.1"


@pytest.fixture(autouse=True)
def _connected_home(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(home.root))


@pytest.fixture
def elsewhere(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is on this machine counts as another one, which a test may not reach."""

    def nowhere(_host: str) -> bool:
        return False

    monkeypatch.setattr(inference.commands.mode, "is_loopback", nowhere)
    home.engine_toml.write_text(f'[server]\nhost = "{ADDRESS}"\n', encoding="utf-8")


def _connect(home: Home, url: str) -> None:
    home.agent_toml.write_text(f'[engine]\nurl = "{url}"\n', encoding="utf-8")


def _mode(*arguments: str) -> Result:
    return CliRunner().invoke(engine, ["mode", *arguments])


@pytest.mark.anyio
@pytest.mark.usefixtures("elsewhere")
async def test_the_mode_of_the_engine_that_the_home_uses_is_told_and_set(tmp_path: Path, home: Home) -> None:
    theirs = tmp_path / "theirs.txt"
    async with running(tmp_path, mode=ObeyedMode(theirs)) as (on, _, _):
        _connect(home, on.url)
        for arguments, shown in ((("GAMING",), "GAMING"), ((), "GAMING"), (("--json",), '{"mode":"GAMING"}'), (("NORMAL",), "NORMAL")):
            told = await anyio.to_thread.run_sync(lambda given=arguments: _mode(*given))
            assert told.exit_code == 0, told.output
            assert on.url in told.stderr
            assert told.stdout == f"{shown}\n"
            assert read_mode(theirs) == ("NORMAL" if shown == "NORMAL" else "GAMING")
    assert not mode_file(home).exists()


@pytest.mark.usefixtures("elsewhere")
def test_where_that_engine_is_off_nothing_is_set_here_and_the_other_way_is_told(home: Home) -> None:
    _connect(home, "http://127.0.0.1:1")
    for word in ((), ("GAMING",)):
        refused = _mode(*word)
        assert refused.exit_code == 3
        assert " ".join(["variet engine mode", *word, "--url http://127.0.0.1:18000"]) in refused.output
    assert not mode_file(home).exists()


@pytest.mark.parametrize("host", [ADDRESS, "bigbox.fritz.box", "desk.local", "127.0.0.1", "localhost"])
def test_the_machine_of_the_engine_itself_sets_its_own_with_no_engine(home: Home, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setattr("inference.commands.mode.socket.gethostname", lambda: "Desk")
    home.engine_toml.write_text(f'[server]\nhost = "{ADDRESS}"\nnames = ["bigbox.fritz.box"]\n', encoding="utf-8")
    _connect(home, f"http://{host}:8000")
    assert _mode("GAMING").output == "GAMING\n"
    assert _mode().output == "GAMING\n"
    assert read_mode(mode_file(home)) == "GAMING"


def test_an_address_of_the_sixth_version_is_its_own_in_brackets_too(home: Home) -> None:
    home.engine_toml.write_text('[server]\nhost = "[fd00::1]"\n', encoding="utf-8")
    _connect(home, "http://[fd00::1]:8000")
    assert _mode("GAMING").output == "GAMING\n"
    assert read_mode(mode_file(home)) == "GAMING"
