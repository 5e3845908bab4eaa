"""Nodes and rules in `agent.toml`: an old file works as it is, and what leads nowhere is refused with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.load import ConfigError, load_agent
from config.schema import AgentSettings
from config.shapes.routing import NodeEntry

BIG = '[nodes.big]\nurl = "http://192.168.1.20:8000"\n'


def _load(tmp_path: Path, text: str) -> AgentSettings:
    file = tmp_path / "agent.toml"
    file.write_text(text, encoding="utf-8")
    return load_agent(file, environ={})


def test_a_file_from_before_there_were_nodes_works_as_it_is(tmp_path: Path):
    text = '[routing]\ndefault_tier = "balanced"\nforce_tier = "ultra"\n[routing.tags]\n"#x" = "fast"\n'
    settings = _load(tmp_path, text)
    assert settings.nodes == {}
    assert (settings.routing.default_tier, settings.routing.force_tier, dict(settings.routing.tags)) == (
        "balanced",
        "ultra",
        {"#x": "fast"},
    )


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[[routing.rules]]\nname = "r"\nto = ["nowhere/fast"]\n', "routing.rules.r.to"),
        ('[routing]\nforce_tier = "nowhere/deep"\n', "routing.force_tier"),
        ('[routing]\nladder = ["fast", "nowhere/deep"]\n', "routing.ladder"),
        ('[[routing.rules]]\nname = "r"\nto = ["fast"]\ntask = "cooking"\n', "routing.rules.r.task"),
        (BIG.replace("nodes.big", "nodes.engine"), "nodes.engine"),
        ('[[routing.rules]]\nname = "first"\nto = ["fast"]\n[[routing.rules]]\nname = "force"\nto = ["fast"]\n', "routing.rules.1.name"),
    ],
)
def test_what_leads_nowhere_is_refused_with_its_place(tmp_path: Path, text: str, key: str):
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, text)
    assert caught.value.key == key


def test_a_bound_in_money_wants_a_price_and_a_rule_wants_a_target(tmp_path: Path):
    with pytest.raises(ConfigError, match="price"):
        _load(tmp_path, BIG + "money_per_day = 2.0\n")
    with pytest.raises(ConfigError):
        _load(tmp_path, '[[routing.rules]]\nname = "r"\nto = []\n')


@pytest.mark.parametrize(
    ("url", "is_external"),
    [
        ("http://192.168.1.20:8000", False),
        ("http://127.0.0.1:8000/v1", False),
        ("http://bigbox:8000", False),
        ("http://bigbox.local:8000", False),
        ("http://[fd00::1]:8000", False),
        ("https://api.example.com/v1", True),
        ("http://8.8.8.8/v1", True),
    ],
)
def test_whether_a_node_is_outside_the_house_is_read_off_its_address_unless_it_is_said(url: str, is_external: bool):
    assert NodeEntry(url=url).is_external is is_external
    assert NodeEntry(url=url, external=not is_external).is_external is not is_external
