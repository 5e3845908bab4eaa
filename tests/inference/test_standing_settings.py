"""What a settings file says to no effect is told, with who says otherwise, and to whom it concerns."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.load import ConfigError
from config.paths import Home
from inference.contract import EngineStatus
from inference.discretion import discreet_status
from inference.door.access import ANYBODY, KeyInfo
from inference.reload import Origin


def test_what_the_environment_says_otherwise_is_told_from_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VARIET_ENGINE__QUEUE__LIMIT", "7")
    monkeypatch.setenv("VARIET_ENGINE__SERVER__PORT", "9002")
    file = tmp_path / "engine.toml"
    file.write_text("[server]\nport = 9001\n[queue]\nlimit = 7\n", encoding="utf-8")
    (told,) = Origin(Home.at(tmp_path / "home"), file).overridden()
    assert told.startswith("server.port: the environment (VARIET_ENGINE__SERVER__PORT) says 9002, which counts; the file's 9001")
    over = Origin(Home.at(tmp_path / "home"), file, {"server": {"port": 9003}})
    assert (over.read().server.port, over.overridden()[0].split(",")[0]) == (9003, "server.port: the command line says 9003")


def test_an_engine_whose_settings_are_a_link_to_nowhere_does_not_start_with_the_defaults(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "home").prepare()
    home.engine_toml.symlink_to(tmp_path / "away.toml")
    with pytest.raises(ConfigError, match=r"no such file.*away\.toml"):
        Origin(home).read()


@pytest.mark.parametrize(("key", "told"), [(ANYBODY, (("a",), ("b",))), (KeyInfo("guest", "1", tiers=("fast",)), ((), ()))])
def test_what_stands_in_the_settings_is_for_keys_without_limits(key: KeyInfo, told: tuple[object, object]) -> None:
    status = discreet_status(EngineStatus(version="0", models=(), needs_restart=("a",), overridden=("b",)), key)
    assert (status.needs_restart, status.overridden) == told
