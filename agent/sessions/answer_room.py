"""How long an answer is asked for: no longer than a server takes that counts what could be written together with the prompt."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from agent.calls.assemble import Reply
from agent.errors import ContextOverflow
from agent.routes.deciding.memory import RouteMemory
from agent.sessions.world import World
from agent.view.context import Conversation
from agent.view.cutting import LEAST_ANSWER
from agent.view.window import answer_beside, answer_room


def most_of(world: World, routes: RouteMemory, conversation: Conversation) -> int:
    """Tokens of the next answer.

    1. What the settings say, or the model's context has room for.
    2. Of a place that is no engine of ours no more than what is left beside the prompt: an engine ends an answer where its context does,
       and others refuse to begin it.
    """
    route = routes.last
    most = world.settings.agent.max_tokens or answer_room(route.n_ctx if route is not None else 0)  # 1
    if route is None or route.node in world.router.engines:
        return most
    return answer_beside(conversation.least_tokens(), route.n_ctx, most)  # 2


async def within_room(ask: Callable[[int], Awaitable[Reply]], most: int) -> Reply:
    """One answer; once more for what is left, where the server says that its prompt fits and only the answer that was asked for does not.

    Args:
        ask: for an answer of so many tokens.
        most: of them.

    Raises:
        ContextOverflow: the prompt does not fit.
    """
    try:
        return await ask(most)
    except ContextOverflow as error:
        left = error.n_ctx - error.prompt_tokens if error.prompt_tokens else 0
        if not LEAST_ANSWER <= left < most:
            raise
    return await ask(left)
