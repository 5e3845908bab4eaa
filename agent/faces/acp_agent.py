"""The agent in an editor, over the Agent Client Protocol: JSON-RPC 2.0, line by line, turns streamed, approvals asked in the editor."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

import anyio
from anyio.abc import TaskGroup

from agent.background import background_tasks
from agent.errors import AgentError
from agent.events import ApprovalNeeded
from agent.faces import acp_wire as wire
from agent.faces.acp_options import Chosen, changed, mode_of, modes, options, places
from agent.faces.link import Link
from agent.faces.outcome import Outcome
from agent.service.address import own_version
from agent.service.client import ServiceClient
from agent.service.faults import SendCancelled

WHO = "acp"
CANCEL_BOUND_S = 20.0
"""A cancelled turn has only to store its end."""
NODES_LOOK_S = 60.0
"""Between two looks at what can answer: nobody chooses among them more often, and each asks every node."""
SEES_BOUND_S = 10.0
"""For the first look at the nodes, the start of the service included: an editor that waits for longer takes the agent for dead."""
log = logging.getLogger(__name__)
Write = Callable[[bytes], Awaitable[None]]
_OF_SESSION = frozenset(
    {"session/set_mode", "session/set_config_option", "session/fork", "session/close", "session/delete", "session/load", "session/resume"}
)


@dataclass
class _Question:
    """A request of ours that the client has not answered yet."""

    answered: anyio.Event = field(default_factory=anyio.Event)
    result: Any = None


class AcpAgent:
    """One editor's connection.

    Args:
        link: to the service.
        write: sends one line.
    """

    def __init__(self, link: Link, write: Write) -> None:
        self._link = link
        self._write = write
        self._ids = itertools.count(1)
        self._questions: dict[int, _Question] = {}
        self._sending = anyio.Lock()
        self._chosen: dict[str, Chosen] = {}
        """Of the sessions that this editor has opened."""
        self._told: dict[str, tuple[str, ...]] = {}
        """What could answer, as each of them was told."""

    async def run(self, lines: AsyncIterator[bytes]) -> None:
        """Serve until the client has gone; what still runs for it is cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch_nodes)
            async for line in lines:
                if line.strip():
                    await self._take(line, tasks)
            tasks.cancel_scope.cancel()

    async def _take(self, line: bytes, tasks: TaskGroup) -> None:
        try:
            parsed: Any = json.loads(line)
        except (ValueError, RecursionError):
            await self._refuse(None, wire.PARSE_ERROR, "That is no JSON.")
            return
        if not isinstance(parsed, dict):
            await self._refuse(None, wire.INVALID_REQUEST, "That is no request.")
            return
        message = cast("dict[str, Any]", parsed)
        if "method" in message:
            tasks.start_soon(self._serve, message)
        elif (question := self._questions.pop(message.get("id", 0), None)) is not None:
            question.result = message.get("result")
            question.answered.set()

    async def _serve(self, message: dict[str, Any]) -> None:
        given: Any = message.get("params")
        params: dict[str, Any] = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
        try:
            result = await self._answer(str(message["method"]), params)
        except Exception as error:  # noqa: BLE001 - one request that goes wrong must not end the others.
            if "id" in message:
                code = wire.INVALID_PARAMS if isinstance(error, wire.BadParams) else wire.FAILED
                await self._refuse(message["id"], code, _sentence(error))
            return
        if "id" not in message:
            return
        if result is None:
            await self._refuse(message["id"], wire.NO_METHOD, f"There is no {message['method']} here.")
        else:
            await self._send({"id": message["id"], "result": result})

    async def _answer(self, method: str, params: dict[str, Any]) -> dict[str, Any] | None:
        match method:
            case "initialize":
                return wire.initialized(own_version(), sees=await self._sees())
            case "authenticate":
                return {}
            case "session/new":
                service = await self._link.service()
                return await self._opened(service, await service.open_session(), is_new=True)
            case "session/prompt":
                return await self._prompt(wire.session_of(params), wire.prompt_of(params))
            case "session/cancel":
                await (await self._link.service()).cancel(wire.session_of(params), who=WHO)
                return {}
            case "session/list":
                return wire.listed(await (await self._link.service()).sessions(), wire.cwd_of(params), params.get("cursor"))
            case _:
                return await self._of_session(method, params) if method in _OF_SESSION else None

    async def _sees(self) -> bool:
        """Whether a model is configured that can be shown pictures; the editor asks once, so the nodes are waited for, but not for long."""
        with anyio.move_on_after(SEES_BOUND_S):
            try:
                report = await (await self._link.service()).routes(limit=0)
            except AgentError as error:
                log.info("the nodes are not known: %s", error)
            else:
                return any(tier.sees for node in report.nodes for tier in node.tiers)
        return False

    async def _of_session(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """What is done with a conversation that is there already."""
        session, service = wire.session_of(params), await self._link.service()
        match method:
            case "session/set_mode":
                self._chosen[session] = self._of(session)._replace(mode=mode_of(params))
                await self._update(session, {"sessionUpdate": "config_option_update", **await self._options(service, session)})
                return {}
            case "session/set_config_option":
                return await self._choose(service, session, params)
            case "session/fork":
                return await self._opened(service, await service.fork(session), is_new=True)
            case "session/close":
                await service.cancel(session, who=WHO)
                self._forget(session)
                return {}
            case "session/delete":
                await service.delete(session)
                self._forget(session)
                return {}
            case "session/load":
                # Before anything is told: what is not there must be an error alone.
                for update in wire.replayed(session, await service.stored(session)):
                    await self._update(session, update)
            case _:
                await service.open_session(resume=session)
        return await self._opened(service, session, is_new=False)

    def _forget(self, session: str) -> None:
        """The editor is done with it: what it chose there is not kept, and it is told nothing any more."""
        self._chosen.pop(session, None)
        self._told.pop(session, None)

    async def _opened(self, service: ServiceClient, session: str, *, is_new: bool) -> dict[str, Any]:
        told = modes(self._chosen.setdefault(session, Chosen()).mode) | await self._options(service, session)
        return {"sessionId": session, **told} if is_new else told

    async def _choose(self, service: ServiceClient, session: str, params: dict[str, Any]) -> dict[str, Any]:
        before = self._of(session)
        self._chosen[session] = chosen = changed(params, before, await _named(service) or ())
        if chosen.mode != before.mode:
            await self._update(session, {"sessionUpdate": "current_mode_update", "currentModeId": chosen.mode})
        return await self._options(service, session)

    async def _options(self, service: ServiceClient, session: str) -> dict[str, Any]:
        named = await _named(service) or ()
        self._told[session] = named
        return options(self._of(session), named)

    async def _watch_nodes(self) -> None:
        """Tell the sessions when other places can answer than they were told; looked at only once there is a session."""
        while True:
            await anyio.sleep(NODES_LOOK_S)
            if not self._told:
                continue
            try:
                named = await _named(await self._link.service())
            except AgentError as error:
                log.info("the nodes are not looked at any more: %s", error)
                return
            for session in [each for each, told in self._told.items() if named is not None and told != named]:
                self._told[session] = named or ()
                await self._update(session, {"sessionUpdate": "config_option_update", **options(self._of(session), named or ())})

    def _of(self, session: str) -> Chosen:
        return self._chosen.get(session, Chosen())

    async def _prompt(self, session: str, prompt: wire.Prompt) -> dict[str, Any]:
        service = await self._link.service()
        async with service.listening(session) as events, background_tasks() as asking:
            is_asked, pin = self._of(session).mode != wire.LATER, self._of(session).pin
            try:
                turn = await service.send(session, prompt.text, who=WHO, tier=pin, interactive=is_asked, attached=prompt.attached)
            except SendCancelled:
                return {"stopReason": "cancelled"}
            outcome = Outcome(session, turn)
            try:
                async for event in events:
                    if event.turn != turn:
                        continue
                    if told := outcome.take(event):
                        await self._update(session, wire.said(told))
                    if (update := wire.update_of(event)) is not None:
                        await self._update(session, update)
                    if isinstance(event, ApprovalNeeded) and self._of(session).mode != wire.LATER:
                        asking.start_soon(self._ask, service, session, event)
                    if outcome.has_ended:
                        break
            finally:
                if not outcome.has_ended:
                    with anyio.move_on_after(CANCEL_BOUND_S, shield=True):
                        await service.cancel(session, who=WHO)
        if outcome.failed is not None:
            raise AgentError(outcome.failed.error)
        return {"stopReason": "cancelled" if outcome.cancelled is not None else "end_turn"}

    async def _ask(self, service: ServiceClient, session: str, needed: ApprovalNeeded) -> None:
        number, question = next(self._ids), _Question()
        self._questions[number] = question
        await self._send({"id": number, "method": "session/request_permission", "params": wire.permission(session, needed)})
        await question.answered.wait()
        decision = wire.decision_of(question.result)
        if decision is None:
            if wire.is_unasked(question.result):
                await self._update(session, wire.said(wire.NOT_ASKED.format(needed.summary)))
            return
        try:
            await service.approve(needed.approval, digest=needed.digest, granted=decision, who=WHO)
        except AgentError as error:
            # Answered elsewhere meanwhile, expired, or the service has gone: the turn says so itself.
            log.info("an answer did not count: %s", error)

    async def _update(self, session: str, update: dict[str, Any]) -> None:
        await self._send({"method": "session/update", "params": {"sessionId": session, "update": update}})

    async def _refuse(self, number: Any, code: int, sentence: str) -> None:
        await self._send({"id": number, "error": {"code": code, "message": sentence}})

    async def _send(self, message: dict[str, Any]) -> None:
        async with self._sending:
            await self._write(json.dumps({"jsonrpc": "2.0", **message}, ensure_ascii=False).encode() + b"\n")


def _sentence(error: Exception) -> str:
    if isinstance(error, (wire.BadParams, AgentError)):
        return str(error)
    log.error("a request failed", exc_info=error)
    return "The assistant failed at this. Its log says why."


async def _named(service: ServiceClient) -> tuple[str, ...] | None:
    """What a person can have answer now; None where that cannot be told."""
    try:
        return places(await service.routes(limit=0))
    except AgentError as error:
        log.info("the nodes are not known: %s", error)
        return None
