"""The agent as an MCP server: a task is one call, with progress while it runs; when the client cancels, the turn is cancelled.

What needs a person's yes is asked through the client only where that says that it puts such questions to a person (the capability
`elicitation`), and counts only with the word "yes" chosen there. Everywhere else the approval stays in the queue and the result says so.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from functools import partial
from typing import Any, NamedTuple

import anyio
import mcp_types as types
from mcp.server.lowlevel import Server
from pydantic import BaseModel, ValidationError

from agent.background import background_tasks
from agent.errors import AgentError
from agent.events import (
    ApprovalNeeded,
    EngineLoading,
    Event,
    PromptReading,
    RouteChosen,
    TextDelta,
    ToolFinished,
    ToolProgress,
    ToolStarted,
)
from agent.faces.given_pictures import picture_given
from agent.faces.hearing import tell_service, turn_events
from agent.faces.link import Link
from agent.faces.mcp.approval_form import form_of
from agent.faces.mcp.asking import WHO, Context, Forms, approve, is_open, message
from agent.faces.mcp.steps import Steps
from agent.faces.mcp.tools import TOOLS, ContinueTask, ListSessions, Routes, RunTask
from agent.faces.notes import notes
from agent.faces.outcome import Outcome
from agent.held_events import ToolHeld
from agent.route_parts import RouteWish
from agent.service.address import own_version
from agent.service.client import ServiceClient

CANCEL_BOUND_S = 20.0
"""A cancelled turn has only to store its end."""
MAX_ASKED = 100
"""Questions that clients may leave unanswered; of more, the oldest stay in the queue alone."""
TITLE_CHARS = 80
_QUESTION = "approval"


class _Asked(NamedTuple):
    """A question that a client has to bring back answered."""

    session: str
    turn: str
    needed: ApprovalNeeded


class AgentServer:
    """The tools, on one service."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._asked: dict[str, _Asked] = {}

    async def list_tools(self, _context: Context, _params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_tool(name) for name in TOOLS])

    async def call_tool(self, context: Context, params: types.CallToolRequestParams) -> types.CallToolResult | types.InputRequiredResult:
        """Run one of them; what goes wrong is a result that the client's model can read."""
        own = TOOLS.get(params.name)
        if own is None:
            return _error(f'There is no tool "{params.name}". There are {", ".join(TOOLS)}.')
        try:
            arguments = own.arguments.model_validate(params.arguments or {})
            return await self._run(context, arguments, params)
        except ValidationError as error:
            first = error.errors()[0]
            return _error(f"{'.'.join(str(part) for part in first['loc']) or 'The arguments'}: {first['msg']}.")
        except AgentError as error:
            return _error(str(error))

    async def _run(
        self, context: Context, arguments: BaseModel, params: types.CallToolRequestParams
    ) -> types.CallToolResult | types.InputRequiredResult:
        service = await self._link.service()
        match arguments:
            case RunTask():
                if params.request_state is not None:
                    return await self._answered(context, params)
                session = await service.open_session(title=arguments.task[:TITLE_CHARS])
                return await self._turn(context, session, arguments.task, arguments)
            case ContinueTask():
                if params.request_state is not None:
                    return await self._answered(context, params)
                return await self._turn(context, arguments.session, arguments.message, arguments)
            case ListSessions():
                return _result(await _sessions(service, arguments))
            case Routes():
                return _result(await _routes(service, arguments))
            case _:
                raise AssertionError(arguments)

    async def _turn(
        self, context: Context, session: str, text: str, asked: RunTask | ContinueTask
    ) -> types.CallToolResult | types.InputRequiredResult:
        shown = [picture_given(each.data, each.name) for each in asked.pictures]
        outcome = Outcome(session, turn="")

        async def begin(service: ServiceClient) -> str:
            outcome.turn = await service.send(
                session, text, who=WHO, tier=asked.tier, interactive=_shows_questions(context), attached=shown,
                wish=RouteWish(task=asked.task_type, latency=asked.latency, by_program=True),
            )  # fmt: skip
            return outcome.turn

        return await self._follow(context, outcome, turn_events(self._link, session, begin))

    async def _follow(
        self, context: Context, outcome: Outcome, turn: AsyncGenerator[Event]
    ) -> types.CallToolResult | types.InputRequiredResult:
        """A turn to its end, or to a question that the client must bring back."""
        steps, forms = Steps(context), Forms(context, self._link)
        try:
            async with background_tasks() as beside, aclosing(turn) as events:
                beside.start_soon(steps.beat)
                async for event in events:
                    outcome.take(event)
                    forms.take(event)
                    await steps.take(_step(event), _piece(event))
                    if isinstance(event, ApprovalNeeded) and _shows_questions(context):
                        if context.session.can_send_request:
                            # Beside the events: the person may answer elsewhere while the form is open.
                            beside.start_soon(forms.ask, event)
                        elif await tell_service(self._link, partial(is_open, needed=event)):
                            return self._ask_back(outcome, event)
                    if outcome.has_ended:
                        break
        except anyio.get_cancelled_exc_class():
            if outcome.turn:
                with anyio.move_on_after(CANCEL_BOUND_S, shield=True), suppress(AgentError):
                    await (await self._link.service()).cancel(outcome.session, who=WHO)
            raise
        except AgentError as error:
            if not outcome.turn:
                raise
            # With its session: nothing tells here how it ends.
            return _result({**outcome.as_json(), "answer": str(error)}, str(error), is_error=True)
        return _result(outcome.as_json(), outcome.told(), is_error=outcome.status in ("failed", "running"))

    def _ask_back(self, outcome: Outcome, needed: ApprovalNeeded) -> types.InputRequiredResult:
        state = secrets.token_urlsafe(16)
        self._asked[state] = _Asked(outcome.session, outcome.turn, needed)
        while len(self._asked) > MAX_ASKED:
            del self._asked[next(iter(self._asked))]
        question = types.ElicitRequest(params=types.ElicitRequestFormParams(message=message(needed), requested_schema=form_of(needed)))
        return types.InputRequiredResult(input_requests={_QUESTION: question}, request_state=state)

    async def _answered(self, context: Context, params: types.CallToolRequestParams) -> types.CallToolResult | types.InputRequiredResult:
        """The client has brought a question back."""
        asked = self._asked.pop(params.request_state or "", None)
        if asked is None:
            return _error("That question is not open here any more. It waits for the person: variet chat.")
        answer = (params.input_responses or {}).get(_QUESTION)
        outcome = Outcome(asked.session, asked.turn)
        if not isinstance(answer, types.ElicitResult) or answer.action == "cancel":
            outcome.waiting[asked.needed.approval] = asked.needed
            return _result({**outcome.as_json(), "status": "waiting"}, "It waits for the person; nothing was done yet.")

        async def begin(_: ServiceClient) -> str:
            await tell_service(self._link, lambda service: approve(service, asked.needed, answer))
            return asked.turn

        return await self._follow(context, outcome, turn_events(self._link, asked.session, begin))


def build(link: Link) -> Server[Any]:
    """The MCP server, not yet connected to anyone."""
    own = AgentServer(link)
    return Server("variet-agent", version=own_version(), on_list_tools=own.list_tools, on_call_tool=own.call_tool)


def _shows_questions(context: Context) -> bool:
    """Whether the client says that it puts questions to a person; in its older form the capability is empty and means forms."""
    capabilities = context.session.client_capabilities
    able = capabilities.elicitation if capabilities is not None else None
    return able is not None and (able.form is not None or able.url is None)


def _step(event: Event) -> str | None:
    """What is going on, in a line."""
    match event:
        case RouteChosen():
            return f"{event.tier}: {'; '.join(event.reasons)}"
        case EngineLoading():
            return f"{event.model}: {event.phase}"
        case ToolStarted():
            return event.name
        case ToolProgress():
            return f"{event.name}: {event.message or f'{event.done:g}'}"
        case ToolFinished():
            return f"{event.name}: {'done' if event.ok else 'not done'}"
        case ApprovalNeeded():
            return f"waits for approval: {event.summary}"
        case ToolHeld():
            return f"goes out at {event.until[11:19]} unless the person takes it back (variet undo): {event.summary}"
        case _:
            return "; ".join(notes(event)) or None


def _piece(event: Event) -> str | None:
    """What is going on, where many events say so."""
    match event:
        case PromptReading():
            return f"reads {event.read:,} of {event.total:,} tokens"
        case TextDelta():
            return "writes"
        case _:
            return None


async def _sessions(service: ServiceClient, asked: ListSessions) -> dict[str, Any]:
    if asked.text:
        found = await service.search_sessions(asked.text)
        return {"found": [row.model_dump() for row in found[: asked.limit]]}
    return {"sessions": [row.model_dump() for row in (await service.sessions())[: asked.limit]]}


async def _routes(service: ServiceClient, asked: Routes) -> dict[str, Any]:
    newest = (await service.sessions())[:1]
    session = asked.session or (newest[0].session if newest else None)
    if session is None:
        return {"session": None, "routes": []}
    chosen = [event for event in await service.stored(session) if isinstance(event, RouteChosen)]
    rows = [{"turn": each.turn, "tier": each.tier, "rule": each.rule, "reasons": list(each.reasons)} for each in reversed(chosen)]
    return {"session": session, "routes": rows[: asked.limit]}


def _tool(name: str) -> types.Tool:
    own = TOOLS[name]
    hints = {"readOnlyHint": own.is_read, "openWorldHint": not own.is_read}
    return types.Tool.model_validate({"name": name, "description": own.description, "inputSchema": own.schema(), "annotations": hints})


def _result(value: Mapping[str, Any], text: str | None = None, *, is_error: bool = False) -> types.CallToolResult:
    told = text if text is not None else json.dumps(value, ensure_ascii=False, indent=1)
    return types.CallToolResult(content=[types.TextContent(text=told)], structured_content=dict(value), is_error=is_error)


def _error(sentence: str) -> types.CallToolResult:
    return _result({"error": sentence}, sentence, is_error=True)
