"""Front-ends find the one service of a home, or start it, whatever was left behind."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Generator
from contextlib import contextmanager

import anyio
import httpx2
import pytest

from agent.launch import is_running
from agent.service.address import Address, own_version, service_file, service_lock
from agent.service.attach import attach
from agent.service.faults import ServiceError, ServiceGone
from agent.service.home_use import UNUSABLE
from agent.service.stream import notice_frame
from agent.service.wire import Notice
from config.disk.file_lock import try_lock
from config.paths import Home
from tests.agent_service.conftest import FAKE_SERVICE, Attach, wait_ended

pytestmark = pytest.mark.anyio


async def test_two_starters_at_once_get_one_service(attached: Attach) -> None:
    pids: set[int] = set()
    both = anyio.Event()

    async def start() -> None:
        async with attached() as service:
            pids.add(service.address.pid)
            arrived.append(service.address.pid)
            if len(arrived) == 4:
                both.set()
            await both.wait()

    arrived: list[int] = []
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(start)
    assert len(pids) == 1
    await wait_ended(pids.pop())


async def test_the_service_leaves_after_the_last_front_end_and_not_before(attached: Attach, home: Home) -> None:
    async with attached() as first:
        async with attached() as second:
            assert second.address == first.address
        assert (await first.health()).status == "ok"
    await wait_ended(first.address.pid)
    assert not service_file(home).exists()


async def test_a_service_in_the_foreground_stays(attached: Attach) -> None:
    async with attached("--stay") as service:
        pid = service.address.pid
    with anyio.move_on_after(3):
        await wait_ended(pid)
    assert is_running(pid)
    async with attached() as again:
        assert again.address.pid == pid
        await again.shut_down()
    await wait_ended(pid)


async def test_a_turn_that_runs_keeps_the_service_until_it_ends(attached: Attach) -> None:
    async with attached() as service:
        session = await service.open_session()
        await service.send(session, "slow", who="cli")
    with anyio.move_on_after(3):
        await wait_ended(service.address.pid)
    assert is_running(service.address.pid)
    async with attached() as again:
        assert again.address == service.address
        await again.cancel(session, who="cli")
    await wait_ended(service.address.pid)


async def test_an_approval_that_waits_does_not_keep_the_service(attached: Attach) -> None:
    async with attached() as service:
        session = await service.open_session()
        await service.send(session, "add Tea", who="cli")
        while not await service.approvals():
            await anyio.lowlevel.checkpoint()
    await wait_ended(service.address.pid)


async def test_what_a_dead_service_left_behind_is_replaced(attached: Attach, home: Home) -> None:
    stale = Address(url="http://127.0.0.1:9", token="old", pid=1, version="0")
    stale.publish(home)
    async with attached() as service:
        assert service.address.token != "old"
    await wait_ended(service.address.pid)


async def test_half_a_service_file_is_replaced(attached: Attach, home: Home) -> None:
    service_file(home).write_text('{"url": "http://', encoding="utf-8")
    async with attached() as service:
        assert (await service.health()).status == "ok"
    await wait_ended(service.address.pid)


async def test_a_service_of_another_version_is_replaced_when_nobody_uses_it(attached: Attach, home: Home) -> None:
    async with attached("--stay") as old:
        pass
    service_file(home).write_text(json.dumps({**old.address.model_dump(), "version": "0.0.1"}), encoding="utf-8")
    async with attached() as new:
        assert new.address.pid != old.address.pid
    await wait_ended(old.address.pid)
    await wait_ended(new.address.pid)


async def test_after_kill_9_the_next_front_end_starts_a_new_one_and_the_first_is_told(attached: Attach) -> None:
    async with attached() as service:
        os.kill(service.address.pid, signal.SIGKILL)
        with anyio.fail_after(5):
            await service.gone.wait()
        with pytest.raises(ServiceGone):
            await service.open_session()
        async with attached() as new:
            assert new.address.pid != service.address.pid
            assert (await new.health()).status == "ok"
    await wait_ended(new.address.pid)


async def test_kill_9_of_the_service_leaves_no_engine(attached: Attach, home: Home) -> None:
    async with attached("--engine") as service:
        engine = _engine_pid(home, service.address.pid)
        assert is_running(engine)
        os.kill(service.address.pid, signal.SIGKILL)
        await wait_ended(engine)


async def test_the_engine_ends_with_the_service(attached: Attach, home: Home) -> None:
    async with attached("--engine") as service:
        engine = _engine_pid(home, service.address.pid)
    await wait_ended(service.address.pid)
    assert not is_running(engine)


async def test_a_dead_engine_is_started_again_at_the_same_address_when_it_is_needed(attached: Attach, home: Home) -> None:
    async with attached("--engine") as service:
        session = await service.open_session()
        file = home.run_dir / f"engine-{service.address.pid}.json"
        before = json.loads(file.read_bytes())
        os.kill(before["pid"], signal.SIGKILL)
        await wait_ended(before["pid"])
        await service.send(session, "hello", who="cli")
        after = json.loads(file.read_bytes())
        assert after["url"] == before["url"]
        assert is_running(after["pid"])
    await wait_ended(service.address.pid)


async def test_an_engine_that_dies_again_and_again_is_given_up_with_a_reason(attached: Attach, home: Home) -> None:
    async with attached("--engine") as service:
        session = await service.open_session()
        with pytest.raises(ServiceError, match="4 times"):
            for _ in range(5):
                pid = _engine_pid(home, service.address.pid)
                os.kill(pid, signal.SIGKILL)
                await wait_ended(pid)
                await service.send(session, "hello", who="cli")
                async for event in service.events(session):
                    if event.type == "turn_done":
                        break
    await wait_ended(service.address.pid)


async def test_a_service_that_cannot_get_ready_says_why(attached: Attach) -> None:
    with pytest.raises(ServiceError, match="tool server mail did not start"):
        async with attached("--fail"):
            pass


async def test_a_service_that_dies_at_once_is_reported_with_its_last_words(home: Home) -> None:
    command = (FAKE_SERVICE[0], "-c", "raise SystemExit('no such module')")
    with pytest.raises(ServiceError, match="no such module"):
        async with attach(home, on_status=lambda _: None, command=command):
            pass


async def test_the_person_is_told_what_is_waited_for(attached: Attach) -> None:
    statuses: list[str] = []
    async with attached("--engine", statuses=statuses) as service:
        pass
    assert statuses[0] == "starting the agent service"
    await wait_ended(service.address.pid)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("needed", "version 0.0.1 .process 1., with .* in use by another front-end. Close that front-end first"),
        ("agent_error", "The disk is full"),
    ],
)
async def test_a_service_that_cannot_be_replaced_is_told_with_its_own_reason_and_let_go_of(
    home: Home, monkeypatch: pytest.MonkeyPatch, code: str, said: str
) -> None:
    refusal = httpx2.Response(409, json={"error": {"code": code, "message": "The disk is full."}})
    with play_service(home, monkeypatch, version="0.0.1", answer=refusal) as opened, pytest.raises(ServiceError, match=said):
        async with attach(home, on_status=lambda _: None):
            pass
    assert [client.is_closed for client in opened] == [True]


async def test_a_service_that_fails_to_get_ready_is_let_go_of(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = notice_frame(Notice(kind="failed", text="The tool server mail did not start."))
    answer = httpx2.Response(200, content=failed, headers=EVENT_STREAM)
    with (
        play_service(home, monkeypatch, version=own_version(), answer=answer) as opened,
        pytest.raises(ServiceError, match="mail did not start"),
    ):
        async with attach(home, on_status=lambda _: None):
            pass
    assert [client.is_closed for client in opened] == [True]


EVENT_STREAM = {"content-type": "text/event-stream"}


@contextmanager
def play_service(
    home: Home, monkeypatch: pytest.MonkeyPatch, *, version: str, answer: httpx2.Response
) -> Generator[list[httpx2.AsyncClient]]:
    """Publish a service that is well, has the home and answers everything else with `answer`; the clients that are opened to it."""
    opened: list[httpx2.AsyncClient] = []

    def play(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json={"status": "ok", "version": version, "pid": 1}) if request.url.path == "/health" else answer

    def client_of(address: Address) -> httpx2.AsyncClient:
        opened.append(httpx2.AsyncClient(base_url=address.url, transport=httpx2.MockTransport(play)))
        return opened[-1]

    monkeypatch.setattr("agent.service.attach.new_http_client", client_of)
    Address(url="http://127.0.0.1:9", token="t", pid=1, version=version).publish(home)
    with try_lock(service_lock(home)):
        yield opened


def _engine_pid(home: Home, service: int) -> int:
    return int(json.loads((home.run_dir / f"engine-{service}.json").read_bytes())["pid"])


@pytest.mark.parametrize("place", ["run/starting.lock", "logs/service.log"])
async def test_a_home_that_cannot_be_written_is_one_sentence_with_the_file(attached: Attach, home: Home, place: str) -> None:
    assert home.root is not None
    (home.root / place).mkdir()
    with pytest.raises(ServiceError, match=f"own folder cannot be used: .*{place}: Is a directory") as caught:
        async with attached():
            pass
    assert caught.value.code == UNUSABLE
