"""The person's clock is the system's, in whatever form the system is told its zone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import anyio
import pytest

from agent import local_time
from agent.events import TurnStarted
from agent.local_time import find_zone
from agent.tools.caller import NOBODY, Caller
from agent.tools.launches import server_specs
from agent.tools.served import ToolResult
from config.paths import Home
from config.schema import AgentSection, AgentSettings
from tests.agent.runtimes import MemoryTools, agent_of
from tests.fakes.scripted_model import Say

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


class ToldTools(MemoryTools):
    """Tools that remember the zone that each call was made in."""

    def __init__(self) -> None:
        super().__init__()
        self.zones: list[str] = []

    async def call(
        self, name: str, arguments: Mapping[str, Any], *, meta: Mapping[str, Any], is_read: bool, caller: Caller = NOBODY
    ) -> ToolResult:
        self.zones.append(meta["variet/context"]["zone"])
        return await super().call(name, arguments, meta=meta, is_read=is_read, caller=caller)


@pytest.mark.parametrize(("setting", "found"), [(None, ["America/New_York", "Asia/Tokyo"]), ("Europe/Berlin", ["Europe/Berlin"] * 2)])
async def test_the_clock_travels_with_the_machine_unless_the_settings_name_a_zone(
    monkeypatch: pytest.MonkeyPatch, home: Home, setting: str | None, found: list[str]
):
    monkeypatch.delenv("TZ")
    tools, settings = ToldTools(), AgentSettings(agent=AgentSection(zone=setting))
    with anyio.fail_after(60):
        async with agent_of(
            home, [Say(calls=[("list_events", {"when": "tomorrow"})]), Say("Done.")] * 2, settings=settings, tools=tools
        ) as agent:
            for place in ("America/New_York", "Asia/Tokyo"):
                local_time.ZONE_LINK.unlink()
                local_time.ZONE_LINK.symlink_to(f"/usr/share/zoneinfo/{place}")
                await agent.ask("what is on tomorrow?")
            started = [datetime.fromisoformat(event.now) for event in await agent.stored() if isinstance(event, TurnStarted)]
    assert tools.zones == found
    assert [each.utcoffset() for each in started] == [
        each.astimezone(ZoneInfo(name)).utcoffset() for each, name in zip(started, found, strict=True)
    ]
