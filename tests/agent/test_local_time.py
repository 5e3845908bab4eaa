"""The person's clock is the system's, in whatever form the system is told its zone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from agent import local_time
from agent.local_time import find_zone
from agent.tools.launches import server_specs
from config.paths import Home
from config.schema import AgentSettings

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the system's clock is set by TZ there alone")
RULE = "XYZ-9:30XYT-10:30,M3.5.0,M10.5.0/3"
"""An offset that no zone has whose name could be guessed from it."""
SHOW = """
from datetime import datetime
from mcp_servers.protocol.local_zone import local_zone
print(datetime.now(local_zone()).utcoffset(), getattr(local_zone(), "key", None))
"""


@pytest.fixture(autouse=True)
def _linked_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    link = tmp_path / "localtime"
    link.symlink_to("/usr/share/zoneinfo/America/New_York")
    monkeypatch.setattr(local_time, "ZONE_LINK", link)
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("Asia/Tokyo", "Asia/Tokyo"),
        (":Asia/Tokyo", "Asia/Tokyo"),
        ("/usr/share/zoneinfo/Asia/Tokyo", "Asia/Tokyo"),
        (":/usr/share/zoneinfo/Asia/Tokyo", "Asia/Tokyo"),
        (RULE, ""),
        (f":{RULE}", ""),
    ],
)
def test_the_clock_is_the_systems_in_every_form_of_its_zone(monkeypatch: pytest.MonkeyPatch, said: str, name: str):
    monkeypatch.setenv("TZ", said)
    time.tzset()
    zone = find_zone(None)
    assert (zone.name, zone.now().utcoffset()) == (name, datetime.now().astimezone().utcoffset())


def test_the_link_counts_where_nothing_else_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("TZ")
    assert find_zone(None).name == "America/New_York"
    monkeypatch.setenv("TZ", RULE)
    assert find_zone("Asia/Tokyo").name == "Asia/Tokyo"


@pytest.mark.parametrize(("rule", "name"), [(RULE, "None"), ("CET-1CEST,M3.5.0,M10.5.0/3", "CET")])
def test_the_tool_servers_have_the_same_clock(monkeypatch: pytest.MonkeyPatch, home: Home, rule: str, name: str):
    monkeypatch.setenv("TZ", rule)
    time.tzset()
    specs = server_specs(home, AgentSettings.model_validate({"servers": {"foreign": {"command": ["true"]}}}))
    assert {spec.name: spec.env.get("TZ") for spec in specs if spec.name == "foreign" or spec.builtin} == {
        "foreign": None, **{spec.name: rule for spec in specs if spec.builtin},
    }  # fmt: skip
    # In a fresh process: what the library found once counts for ever.
    ran = subprocess.run([sys.executable, "-c", SHOW], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == f"{datetime.now().astimezone().utcoffset()} {name}"
