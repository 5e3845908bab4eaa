"""Pictures on their way in: looked at, and refused with the reason before anything of their message is stored or sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import anyio.to_thread

from agent.errors import PictureRefused
from agent.event_parts import Picture, PictureFile
from agent.events import RouteChosen
from agent.routes.deciding.seeing import NOBODY_SEES, anybody_sees
from agent.sessions.world import World
from agent.tools.served import ToolResult
from agent.view.pictures import (
    MAX_PICTURES,
    digests_in,
    has_pictures,
    has_returned,
    looked_at,
    with_pictures,
    without_pictures,
    without_returned,
)
from agent.view.returned import told_as_shown, told_of


class Taken(NamedTuple):
    """The pictures of one message."""

    pictures: tuple[Picture, ...] = ()
    contents: Mapping[str, bytes] = {}
    """By digest."""


async def take_in(world: World, files: Sequence[PictureFile]) -> Taken:
    """Look at what was put beside a message.

    Raises:
        PictureRefused: one is no picture or too large, there are too many, or nobody here can see.
    """
    if not files:
        return Taken()
    if len(files) > MAX_PICTURES:
        raise PictureRefused(f"{len(files)} pictures are too many; {MAX_PICTURES} can stand beside one message.")
    # In a thread: each is hashed whole.
    pictures = await anyio.to_thread.run_sync(lambda: tuple(looked_at(each.name, each.content) for each in files))
    if not anybody_sees(await world.router.states()):
        raise PictureRefused(NOBODY_SEES)
    return Taken(pictures, {picture.digest: each.content for picture, each in zip(pictures, files, strict=True)})


async def take_returned(world: World, session: str, route: RouteChosen | None, result: ToolResult) -> ToolResult:
    """A tool's result with those of its pictures that the model which asked can look at; of the others it is told in words, as before."""
    if not result.returned or route is None or not route.sees or not await world.templates.shows_returned(route):
        return result
    # In a thread: each is hashed whole, and written.
    return await anyio.to_thread.run_sync(partial(_looked_at, world, session, result))


def _looked_at(world: World, session: str, result: ToolResult) -> ToolResult:
    text, pictures, contents = result.text, list[Picture](), dict[str, bytes]()
    for number, each in enumerate(result.returned, 1):
        with suppress(PictureRefused):
            picture = looked_at(f"result {number}", each.content)
            pictures.append(picture)
            contents[picture.digest] = each.content
            text = text.replace(told_of(each.media_type, picture.size), told_as_shown(each.media_type, picture.size), 1)
    world.store.keep_pictures(session, contents)
    return replace(result, text=text, pictures=tuple(pictures))


async def seen_by(world: World, route: RouteChosen | None, messages: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """The messages with words for the pictures that the model which is asked cannot see."""
    if not has_pictures(messages):
        return messages
    if route is not None and route.hides_pictures:
        return without_pictures(messages)
    # It was shown once: while nothing is known, such as before the model is loaded, it must not hide for one request.
    if route is not None and has_returned(messages) and await world.templates.shows_returned(route) is False:
        return without_returned(messages)
    return messages


async def put_in(world: World, session: str, messages: Sequence[bytes]) -> tuple[bytes, ...]:
    """The messages of a session as a model that sees gets them."""

    def filled() -> tuple[bytes, ...]:
        return with_pictures(messages, world.store.pictures(session, digests_in(messages)))

    # In a thread: megabytes are read and written out anew.
    return await anyio.to_thread.run_sync(filled)
