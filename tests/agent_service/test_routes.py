"""What the routes do when the engine or the disk makes them wait, without a process around them."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import httpx2
import pytest

from agent.errors import AgentError, HoldError, SessionNotFound, TaskUnknown
from agent.events import ApprovalNeeded
from agent.held_events import HeldCall, ToolHeld
from agent.routes.report import ExplainRequest
from agent.service.address import Address
from agent.service.client import ServiceClient
from agent.service.faults import UNKNOWN_TASK, ServiceError
from agent.service.presence import Presence
from agent.service.readiness import Readiness
from agent.service.routes import Desk, build_routes
from tests.fakes.runtime import FakeRuntime, open_fake_runtime

pytestmark = pytest.mark.anyio


async def _dead() -> None:
    raise AgentError("The embedded engine died 4 times within 120 s.")


@asynccontextmanager
async def served(runtime: FakeRuntime, engine: Callable[[], Awaitable[None]] = _dead) -> AsyncGenerator[httpx2.AsyncClient]:
    """The routes over a runtime, whose engine cannot be kept alive unless another is given."""
    readiness = Readiness()
    desk = Desk(Presence(runtime.is_busy), readiness, engine)
    desk.runtime = runtime
    readiness.tell("ready")
    transport = httpx2.ASGITransport(build_routes(desk))
    async with httpx2.AsyncClient(transport=transport, base_url="http://service") as http:
        yield http


async def asked_in(runtime: FakeRuntime) -> ApprovalNeeded:
    """A call that waits for a person, in a turn that has ended."""
    session = await runtime.open_session()
    await runtime.send(session, "add Tea", who="cli", interactive=False)
    async for event in runtime.events(session):
        if event.type == "turn_done":
            break
    (needed,) = runtime.approvals()
    return needed


async def test_a_no_needs_no_engine_and_a_yes_does() -> None:
    async with open_fake_runtime() as runtime, served(runtime) as http:
        needed = await asked_in(runtime)
        answer = {"digest": needed.digest, "who": "cli"}
        yes = await http.post(f"/approvals/{needed.approval}", json={**answer, "granted": True})
        assert (yes.status_code, yes.json()["error"]["message"]) == (500, "The embedded engine died 4 times within 120 s.")
        assert [open_.approval for open_ in runtime.approvals()] == [needed.approval]
        no = await http.post(f"/approvals/{needed.approval}", json={**answer, "granted": False})
        assert no.status_code == 204
        assert runtime.approvals() == []


async def test_lists_are_read_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []

    def approvals(_: FakeRuntime) -> Sequence[ApprovalNeeded]:
        threads.append(threading.get_ident())
        return []

    def sessions(_: FakeRuntime) -> Sequence[object]:
        threads.append(threading.get_ident())
        return []

    monkeypatch.setattr(FakeRuntime, "approvals", approvals)
    monkeypatch.setattr(FakeRuntime, "sessions", sessions)
    async with open_fake_runtime() as runtime, served(runtime) as http:
        assert [(await http.get(route)).status_code for route in ("/approvals", "/sessions")] == [200, 200]
    assert len(threads) == 2
    assert threading.get_ident() not in threads


async def test_what_is_held_is_listed_and_taken_back_once_without_any_engine() -> None:
    async with open_fake_runtime() as runtime, served(runtime) as http:
        client = ServiceClient(http, Address(url="http://service", token="token", pid=1, version="0"))
        session = await runtime.open_session()
        await runtime.send(session, "post 300", who="cli", grants=frozenset({"send"}))
        seen: list[str] = []
        async for event in runtime.events(session):
            if event.seq:
                seen.append(event.type)
            if isinstance(event, ToolHeld):
                (held,) = await client.holds()
                assert held == HeldCall(session=session, held=event.model_copy(update={"seq": 0}))
                assert (await http.post(f"/holds/{event.hold}/take-back", json={})).status_code == 422
                await client.take_back(event.hold, who="me")
            if event.type == "turn_done":
                break
        assert seen[-4:] == ["tool_taken_back", "tool_finished", "model_replied", "turn_done"]
        assert (await client.holds(), runtime.created) == ([], [])
        late = await http.post("/holds/h-gone/take-back", json={"who": "me"})
        assert (late.status_code, late.json()["error"]["code"]) == (409, "not_held")
        with pytest.raises(HoldError):
            await client.take_back("h-gone", who="me")


async def test_what_cannot_be_explained_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_fake_runtime() as runtime, served(runtime) as http:
        client = ServiceClient(http, Address(url="http://service", token="token", pid=1, version="0"))

        async def explain(asked: ExplainRequest) -> None:
            raise SessionNotFound(asked.session or "") if asked.task is None else TaskUnknown(asked.task, ("coding",))

        monkeypatch.setattr(runtime.routes, "explain", explain)
        with pytest.raises(SessionNotFound, match='"s-9"'):
            await client.explain(ExplainRequest(text="hi", session="s-9"))
        with pytest.raises(ServiceError, match='"codng" is no type of task') as refused:
            await client.explain(ExplainRequest(text="hi", task="codng"))
    assert refused.value.code == UNKNOWN_TASK
