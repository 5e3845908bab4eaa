"""The agent in an editor, over the Agent Client Protocol: JSON-RPC 2.0, line by line; what it asks for and chooses for its conversations.

What becomes of a prompt is `turns.py`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from typing import Any, cast

import anyio
from anyio.abc import TaskGroup

from agent.errors import AgentError
from agent.events import Event
from agent.faces.acp import wire
from agent.faces.acp.editor import Editor, Write
from agent.faces.acp.options import Chosen, changed, mode_of, modes, options, places
from agent.faces.acp.turns import WHO, Turns
from agent.faces.link import Link
from agent.service.address import own_version
from agent.service.client import ServiceClient

NODES_LOOK_S = 60.0
"""Between two looks at what can answer: nobody chooses among them more often, and each asks every node."""
SEES_BOUND_S = 10.0
"""For the first look at the nodes, the start of the service included: an editor that waits for longer takes the agent for dead."""
log = logging.getLogger(__name__)
_OF_SESSION = frozenset(
    {"session/set_mode", "session/set_config_option", "session/fork", "session/close", "session/delete", "session/load", "session/resume"}
)
_OPENED_AGAIN = frozenset({"session/load", "session/resume"})


class AcpAgent:
    """One editor's connection.

    Args:
        link: to the service.
        write: sends one line.
    """

    def __init__(self, link: Link, write: Write) -> None:
        self._link = link
        self._editor = Editor(write)
        self._turns = Turns(link, self._editor, self._of)
        self._chosen: dict[str, Chosen] = {}
        """Of the sessions that this editor has opened."""
        self._told: dict[str, tuple[str, ...]] = {}
        """What could answer, as each of them was told."""
        self._opened_with: dict[str, list[Event]] = {}
        """What was stored of those that are being opened again."""

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
            await self._editor.refuse(None, wire.PARSE_ERROR, "That is no JSON.")
            return
        if not isinstance(parsed, dict):
            await self._editor.refuse(None, wire.INVALID_REQUEST, "That is no request.")
            return
        message = cast("dict[str, Any]", parsed)
        if "method" in message:
            tasks.start_soon(self._serve, message)
        else:
            self._editor.take_answer(message)

    async def _serve(self, message: dict[str, Any]) -> None:
        given: Any = message.get("params")
        params: dict[str, Any] = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
        try:
            result = await self._answer(str(message["method"]), params)
        except Exception as error:  # noqa: BLE001 - one request that goes wrong must not end the others.
            if "id" in message:
                code = wire.INVALID_PARAMS if isinstance(error, wire.BadParams) else wire.FAILED
                await self._editor.refuse(message["id"], code, _sentence(error))
            return
        if "id" not in message:
            return
        if result is None:
            await self._editor.refuse(message["id"], wire.NO_METHOD, f"There is no {message['method']} here.")
            return
        await self._editor.reply(message["id"], result)
        if message["method"] in _OPENED_AGAIN:
            # Only now: before the answer, the editor knows of no such session.
            session = wire.session_of(params)
            await self._turns.take_up(session, self._opened_with.pop(session, ()))

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
                return await self._turns.prompt(wire.session_of(params), wire.prompt_of(params))
            case "session/cancel":
                await self._turns.cancel(wire.session_of(params))
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
                await self._editor.update(session, {"sessionUpdate": "config_option_update", **await self._options(service, session)})
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
                self._opened_with[session] = stored = await service.stored(session)
                for update in wire.replayed(session, stored):
                    await self._editor.update(session, update)
            case _:
                await service.open_session(resume=session)
                self._opened_with[session] = await service.stored(session)
        return await self._opened(service, session, is_new=False)

    def _forget(self, session: str) -> None:
        """The editor is done with it: what it chose there is not kept, and it is told nothing any more."""
        self._chosen.pop(session, None)
        self._told.pop(session, None)
        self._turns.leave(session)

    async def _opened(self, service: ServiceClient, session: str, *, is_new: bool) -> dict[str, Any]:
        told = modes(self._chosen.setdefault(session, Chosen()).mode) | await self._options(service, session)
        return {"sessionId": session, **told} if is_new else told

    async def _choose(self, service: ServiceClient, session: str, params: dict[str, Any]) -> dict[str, Any]:
        before = self._of(session)
        self._chosen[session] = chosen = changed(params, before, await _named(service) or ())
        if chosen.mode != before.mode:
            await self._editor.update(session, {"sessionUpdate": "current_mode_update", "currentModeId": chosen.mode})
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
                log.info("the nodes are not known: %s", error)
                continue
            for session in [each for each, told in self._told.items() if named is not None and told != named]:
                self._told[session] = named or ()
                await self._editor.update(session, {"sessionUpdate": "config_option_update", **options(self._of(session), named or ())})

    def _of(self, session: str) -> Chosen:
        return self._chosen.get(session, Chosen())


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
