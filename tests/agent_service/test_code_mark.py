"""A front-end and a service of other code than its own: the older of the two gives way, and the person is told which to start again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.service import address as addresses
from agent.service.address import Address, own_version, service_file, version_on_disk
from agent.service.attach import RENEWED
from agent.service.code_mark import PACKAGES, ROOT, code_mark
from agent.service.faults import ServiceError
from config.paths import Home
from tests.agent_service.conftest import Attach, wait_ended
from tests.test_architecture import SHIPPED

OLD = "0.1.0+0000000a"


@pytest.fixture
def before_an_upgrade(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process was started with other code than is on the disk by now."""
    own_version.cache_clear()
    with monkeypatch.context() as then:
        then.setattr(addresses, "code_mark", lambda: "0000000a")
        own_version()
    yield
    own_version.cache_clear()


def test_the_mark_is_of_the_modules_that_are_installed_and_of_nothing_else(tmp_path: Path) -> None:
    assert PACKAGES == SHIPPED
    ours = shutil.ignore_patterns("__pycache__")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ours, copy_function=shutil.copyfile)
    mark = code_mark(tmp_path)
    assert mark == code_mark()
    (tmp_path / "tests").mkdir()
    (tmp_path / "agent" / "__pycache__").mkdir()
    for beside in ("tests/test_x.py", "agent/__pycache__/cli.cpython-311.pyc", "agent/__pycache__/x.py", "agent/.#cli.py", "setup.py"):
        (tmp_path / beside).write_text("x", encoding="utf-8")
    assert code_mark(tmp_path) == mark
    with (tmp_path / "agent" / "turns" / "loop.py").open("a", encoding="utf-8") as file:
        file.write("\n")
    assert code_mark(tmp_path) != mark


def test_a_process_is_of_the_code_that_it_was_started_with(monkeypatch: pytest.MonkeyPatch) -> None:
    started = own_version()
    monkeypatch.setattr(addresses, "code_mark", lambda: "0000000b")
    assert own_version() == started
    assert version_on_disk() == f"{started.partition('+')[0]}+0000000b"


@pytest.mark.anyio
async def test_a_service_of_older_code_is_replaced_though_its_version_is_the_same(
    attached: Attach, home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    async with attached("--stay") as old:
        assert ((await old.health()).version, old.address.version) == (own_version(), own_version())
    service_file(home).write_text(json.dumps({**old.address.model_dump(), "version": OLD}), encoding="utf-8")
    async with attached() as new:
        assert new.address.pid != old.address.pid
    await wait_ended(new.address.pid)
    assert capsys.readouterr().err == f"ended `variet serve` (process {old.address.pid}), which was of version {OLD}; start it again\n"


@pytest.mark.anyio
@pytest.mark.usefixtures("before_an_upgrade")
async def test_a_front_end_from_before_an_upgrade_says_so_and_ends_no_newer_service(attached: Attach, home: Home) -> None:
    assert own_version().endswith("+0000000a")
    with pytest.raises(ServiceError) as begun:
        async with attached("--stay"):
            pass
    assert str(begun.value) == RENEWED
    running = Address.of_running(home)
    assert running is not None
    assert running.is_of_newer_code
    with pytest.raises(ServiceError) as found:
        async with attached():
            pass
    assert str(found.value) == RENEWED
    assert Address.of_running(home) == running
