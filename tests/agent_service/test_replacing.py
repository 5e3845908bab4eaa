"""A service that somebody started to stay is not ended for the settings of one question."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.launch import is_running
from agent.service.address import service_file
from agent.service.attach import attach
from agent.service.faults import ServiceError
from config.paths import Home
from tests.agent_service.conftest import FAKE_SERVICE, Attach, wait_ended

pytestmark = pytest.mark.anyio


async def test_a_service_that_stays_is_not_ended_for_other_settings(attached: Attach, home: Home, tmp_path: Path) -> None:
    """Its gateway and its port for MCP clients would go with it."""
    async with attached("--stay") as service:
        pid = service.address.pid
    other = tmp_path / "other.toml"
    with pytest.raises(ServiceError, match=rf"`variet serve` \(process {pid}\) .*agent.toml.*other.toml.* leave --config out"):
        async with attach(home, settings_path=other, on_status=lambda _: None, command=FAKE_SERVICE):
            pass
    assert is_running(pid)
    async with attached() as again:
        assert again.address.pid == pid
        await again.shut_down()
    await wait_ended(pid)


@pytest.mark.parametrize("spelling", ["plain", "linked", "up and down"])
async def test_the_homes_own_settings_may_be_named_however_they_are_spelled(
    attached: Attach, home: Home, tmp_path: Path, spelling: str
) -> None:
    """An alias or a script that always names them is served as one that names none."""
    if spelling == "linked":
        (tmp_path / "link").symlink_to(home.agent_toml.parent, target_is_directory=True)
    folder = {"plain": home.agent_toml.parent, "linked": tmp_path / "link", "up and down": home.agent_toml.parent / "x" / ".."}[spelling]
    named = folder / home.agent_toml.name
    async with attached("--stay") as service:
        pid = service.address.pid
    async with attach(home, settings_path=named, on_status=lambda _: None, command=FAKE_SERVICE) as same:
        assert same.address.pid == pid
        await same.shut_down()
    await wait_ended(pid)


async def test_a_service_of_another_version_that_stays_is_replaced_and_named_to_scripts_too(
    attached: Attach, home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    async with attached("--stay") as old:
        pass
    service_file(home).write_text(json.dumps({**old.address.model_dump(), "version": "0.0.1"}), encoding="utf-8")
    statuses: list[str] = []
    async with attached(statuses=statuses) as new:
        assert new.address.pid != old.address.pid
    await wait_ended(new.address.pid)
    assert capsys.readouterr().err == f"ended `variet serve` (process {old.address.pid}), which was of version 0.0.1; start it again\n"
    assert statuses[0] == "starting the agent service"


async def test_a_service_on_demand_that_nobody_uses_is_replaced_for_other_settings(attached: Attach, home: Home, tmp_path: Path) -> None:
    async with attached() as old:
        pass
    async with attach(home, settings_path=tmp_path / "other.toml", on_status=lambda _: None, command=FAKE_SERVICE) as new:
        assert new.address.pid != old.address.pid
    await wait_ended(new.address.pid)


async def test_settings_that_were_changed_count_from_the_next_front_end_on_where_nobody_needs_the_service(
    attached: Attach, home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    home.agent_toml.write_text("[routing]\nnetwork = true\nsticky_s = 60\n", encoding="utf-8")
    async with attached() as old:
        # The same, said otherwise.
        home.agent_toml.write_text("# mine\n[agent]\n[routing]\nsticky_s = 60\n", encoding="utf-8")
        async with attached() as same:
            assert same.address.pid == old.address.pid
    home.agent_toml.write_text("[routing]\nnetwork = false\n", encoding="utf-8")
    async with attached() as new:
        assert new.address.pid != old.address.pid
        # What cannot be read is told by whoever needs it: no reason to end anything, nor to be refused.
        home.agent_toml.write_text("[routing\n", encoding="utf-8")
        async with attached() as last:
            assert last.address.pid == new.address.pid
    await wait_ended(new.address.pid)
    assert capsys.readouterr().err == ""


async def test_a_variable_that_a_running_service_does_not_have_is_not_ignored_in_silence(
    attached: Attach, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another front-end keeps it: ending it would end what that one does."""
    async with attached() as service:
        monkeypatch.setenv("VARIET_AGENT__ROUTING__NETWORK", "false")
        async with attached() as second:
            assert second.address.pid == service.address.pid
        told = capsys.readouterr().err
    await wait_ended(service.address.pid)
    assert told.count("\n") == 1
    assert "other settings than agent.toml and the environment" in told


async def test_a_service_that_stays_is_not_ended_for_changed_settings(
    attached: Attach, home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    async with attached("--stay") as service:
        pass
    home.agent_toml.write_text("[routing]\nnetwork = false\n", encoding="utf-8")
    async with attached() as again:
        assert again.address.pid == service.address.pid
        await again.shut_down()
    await wait_ended(service.address.pid)
    assert capsys.readouterr().err.count("from its next start on") == 1


async def test_a_front_end_that_attaches_again_and_again_is_told_of_older_settings_once_and_in_its_own_way(
    attached: Attach, home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []
    async with attached() as service:
        monkeypatch.setenv("VARIET_AGENT__ROUTING__NETWORK", "false")
        for _ in range(2):
            async with attach(home, on_status=lambda _: None, on_older=told.append, command=FAKE_SERVICE) as again:
                assert again.address.pid == service.address.pid
    await wait_ended(service.address.pid)
    assert (len(told), capsys.readouterr().err) == (1, "")
