"""A request on its way out: calls of earlier steps as the place that is asked takes them, and once more where it refused them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from agent.calls.assemble import Reply
from agent.errors import ModelFaulted, ModelRefused
from agent.events import RouteChosen
from agent.sessions.world import World
from agent.view.messages import Prefix
from agent.view.taken import Taken, as_taken, has_calls, has_several

Send = Callable[[Prefix, tuple[bytes, ...]], Awaitable[Reply]]
"""Asks for an answer to messages behind a prefix."""


async def sent_as_taken(world: World, route: RouteChosen | None, prefix: Prefix, messages: tuple[bytes, ...], send: Send) -> Reply:
    """One answer.

    Args:
        world: of the session.
        route: the place that is asked.
        prefix: as frozen for the session.
        messages: everything after the system message, as it is kept.
        send: asks for it.

    Raises:
        ModelError: as `send` does.
    """
    if route is None or not has_calls(messages):
        return await send(prefix, messages)
    calls, is_several = world.templates.calls, has_several(messages)
    known = await calls.of(route, is_asked=is_several)
    taken = known or await _supposed(world, route, is_several=is_several)
    try:
        reply = await send(*as_taken(prefix, messages, taken))
    except (ModelRefused, ModelFaulted) as error:
        # Some servers call it a fault of theirs when a template refuses.
        other = await calls.after_refusal(route, str(error))
        if other is None or other == taken or (other != "none" and not is_several):
            raise
        return await send(*as_taken(prefix, messages, other))
    if known is None and is_several:
        await calls.after_success(route, taken)
    return reply


async def _supposed(world: World, route: RouteChosen, *, is_several: bool) -> Taken:
    """How it takes them, where nothing is known.

    1. One a message where its model is yet to be loaded: every template takes that, and nothing is lost of a cache.
    2. Together, as most do.
    """
    return "apart" if is_several and not await _is_loaded(world, route) else "together"  # 1, 2


async def _is_loaded(world: World, route: RouteChosen) -> bool:
    """Whether it is, as far as anybody says."""
    node = next((each for each in await world.router.states() if each.name == route.node), None)
    tier = (node.tiers or {}).get(route.tier) if node is not None else None
    return tier is None or tier.is_resident
