"""A turn's questions put to the person through an MCP client's forms, one at a time; who answers elsewhere closes the form."""

from __future__ import annotations

import logging
from typing import Any

import anyio
import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

from agent.errors import AgentError, ApprovalError
from agent.events import ApprovalAnswered, ApprovalNeeded, Event
from agent.faces.exact import escaped, question
from agent.faces.hearing import tell_service
from agent.faces.link import Link
from agent.faces.mcp.approval_form import form_of, is_yes, typed_in
from agent.service.client import ServiceClient

WHO = "mcp"
log = logging.getLogger(__name__)
Context = ServerRequestContext[Any, Any]


class Forms:
    """Those of one call of a client.

    Args:
        context: of the call.
        link: to the service where the turn runs.
    """

    def __init__(self, context: Context, link: Link) -> None:
        self._context = context
        self._link = link
        self._one_at_a_time = anyio.Lock()
        self._open: dict[str, anyio.CancelScope] = {}

    async def ask(self, needed: ApprovalNeeded) -> None:
        """Show a question and give its answer; one that cannot be shown stays in the queue, where others can answer it."""
        async with self._one_at_a_time:
            try:
                answer = await self._shown(needed)
                if answer is not None:
                    await tell_service(self._link, lambda service: approve(service, needed, answer))
            except (AgentError, MCPError, ValidationError) as error:
                log.info("a question stays in the queue: %s", error)

    def take(self, event: Event) -> None:
        """One event of the turn: a question that has its answer is open no more."""
        if isinstance(event, ApprovalAnswered) and (form := self._open.get(event.approval)) is not None:
            form.cancel()

    async def _shown(self, needed: ApprovalNeeded) -> types.ElicitResult | None:
        with anyio.CancelScope() as self._open[needed.approval]:
            try:
                if await tell_service(self._link, lambda service: is_open(service, needed)):
                    return await self._context.session.elicit_form(message(needed), form_of(needed), self._context.request_id)
            finally:
                del self._open[needed.approval]
        return None


async def is_open(service: ServiceClient, needed: ApprovalNeeded) -> bool:
    """Whether it waits: it may have been answered somewhere else, or in an earlier round of this call."""
    return needed.approval in {each.approval for each in await service.approvals()}


async def approve(service: ServiceClient, needed: ApprovalNeeded, answer: types.ElicitResult) -> None:
    """A yes is a yes only with that word; a question that was closed is answered by nobody and stays."""
    if answer.action == "cancel":
        return
    is_granted = answer.action == "accept" and is_yes(answer.content)
    typed = typed_in(needed, answer.content) if is_granted else {}
    try:
        await service.approve(needed.approval, digest=needed.digest, granted=is_granted, who=WHO, typed=typed)
    except ApprovalError:
        # Answered elsewhere meanwhile, or expired: the turn says so itself.
        return


def message(needed: ApprovalNeeded) -> str:
    """What is asked: exactly what would happen."""
    return "\n".join(filter(None, (escaped(needed.summary), question(needed))))
