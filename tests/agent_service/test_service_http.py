"""The service over real HTTP: who may use it, and what it answers."""

from __future__ import annotations

import stat

import httpx2
import pytest

from agent.errors import ApprovalError, SessionNotFound
from agent.events import ApprovalNeeded, Event, ToolFinished, TurnDone, TurnStarted
from agent.service.address import Address, service_file
from agent.service.client import ServiceClient, new_http_client
from agent.service.guard import MAX_BODY_BYTES
from config.paths import Home
from tests.agent_service.conftest import Attach, wait_ended

pytestmark = pytest.mark.anyio


async def turn_events(service: ServiceClient, session: str, *, after: int = 0) -> list[Event]:
    """What happens up to the end of the turn."""
    seen: list[Event] = []
    async for event in service.events(session, after=after):
        seen.append(event)
        if event.type in ("turn_done", "turn_failed", "turn_cancelled"):
            break
    return seen


async def test_a_turn_streams_its_text_and_ends_once(attached: Attach) -> None:
    async with attached() as service:
        session = await service.open_session()
        turn = await service.send(session, "hello", who="cli")
        events = await turn_events(service, session)
        assert isinstance(events[0], TurnStarted)
        assert isinstance(events[-1], TurnDone)
        assert {event.turn for event in events} == {turn}


async def test_the_stream_goes_on_after_the_last_event_that_was_seen(attached: Attach) -> None:
    async with attached() as service:
        session = await service.open_session()
        await service.send(session, "list", who="cli")
        stored = [event.seq for event in await turn_events(service, session) if event.seq]
        later = [event.seq for event in await turn_events(service, session, after=stored[2])]
        assert stored == sorted(set(stored))
        assert later == stored[3:]


async def test_last_event_id_resumes_like_after(attached: Attach) -> None:
    async with attached() as service:
        session = await service.open_session()
        await service.send(session, "list", who="cli")
        last = (await turn_events(service, session))[-1].seq
        async with (
            new_http_client(service.address) as http,
            http.stream("GET", f"/sessions/{session}/events", headers={"last-event-id": str(last - 1)}) as answer,
        ):
            async for frame in httpx2.EventSource(answer):
                assert frame.id == str(last)
                break


async def test_an_approval_is_answered_once_and_only_with_its_digest(attached: Attach) -> None:
    async with attached() as service:
        session = await service.open_session()
        await service.send(session, "add Tea", who="cli")
        needed = await _next_approval(service, session)
        assert await service.approvals() == [needed]
        with pytest.raises(ApprovalError, match="another call"):
            await service.approve(needed.approval, digest="wrong", granted=True, who="cli")
        await service.approve(needed.approval, digest=needed.digest, granted=True, who="cli")
        finished = [event for event in await turn_events(service, session) if isinstance(event, ToolFinished)]
        assert [(event.decision, event.ok) for event in finished] == [("asked-yes", True)]
        with pytest.raises(ApprovalError, match="already"):
            await service.approve(needed.approval, digest=needed.digest, granted=True, who="cli")


async def test_cancel_ends_the_turn(attached: Attach) -> None:
    async with attached() as service:
        session = await service.open_session()
        await service.send(session, "slow", who="cli")
        await service.cancel(session, who="cli")
        assert (await turn_events(service, session))[-1].type == "turn_cancelled"


async def test_an_unknown_session_is_named_also_when_its_events_are_asked_for(attached: Attach) -> None:
    async with attached() as service:
        with pytest.raises(SessionNotFound, match="nobody"):
            await service.send("nobody", "hello", who="cli")
        with pytest.raises(SessionNotFound, match="nobody"):
            await turn_events(service, "nobody")


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"authorization": "Bearer wrong"}, 401, "invalid_token"),
        ({"authorization": ""}, 401, "invalid_token"),
        ({"origin": "https://example.org"}, 403, "origin_refused"),
        ({"origin": "null"}, 403, "origin_refused"),
        ({"host": "example.org"}, 403, "host_refused"),
        ({"host": "127.0.0.1"}, 403, "host_refused"),
    ],
)
async def test_only_programs_with_the_token_are_let_in(attached: Attach, headers: dict[str, str], status: int, code: str) -> None:
    async with attached() as service, new_http_client(service.address) as http:
        answer = await http.get("/sessions", headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


async def test_a_body_that_is_not_understood_is_refused_with_a_reason(attached: Attach) -> None:
    async with attached() as service, new_http_client(service.address) as http:
        answer = await http.post("/sessions", content=b'{"resum": 1}')
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_request")
        too_large = await http.post("/sessions", content=b" " * (MAX_BODY_BYTES + 1))
        assert (too_large.status_code, too_large.json()["error"]["code"]) == (413, "too_large")
        assert (await http.get("/nowhere")).json()["error"]["code"] == "no_such_route"
        for route in ("/routes?limit=9999999999999999", "/routes?limit=²", "/sessions/s1/events?after=9999999999999999"):
            assert (await http.get(route)).status_code == 422, route
        # Half of a character from a command line, and one in an address.
        assert await service.search_sessions("caf\udce9") == []
        with pytest.raises(SessionNotFound):
            await service.open_session(resume="\udce9")
        session = await service.open_session(title="caf\udce9")
        await service.send(session, "hello \udce9", who="cli")
        assert [event.text for event in await turn_events(service, session) if isinstance(event, TurnStarted)] == ["hello \ufffd"]


async def test_the_address_is_private_and_is_gone_when_the_service_is(attached: Attach, home: Home) -> None:
    async with attached() as service:
        assert stat.S_IMODE(service_file(home).stat().st_mode) == 0o600
        pid = service.address.pid
        await service.shut_down()
    await wait_ended(pid)
    assert Address.read(home) is None


async def _next_approval(service: ServiceClient, session: str) -> ApprovalNeeded:
    async for event in service.events(session):
        if isinstance(event, ApprovalNeeded):
            return event
    raise AssertionError("no approval was asked for")
