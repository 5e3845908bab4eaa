"""Pictures on their way in: looked at, and refused with the reason before anything of their message is stored or sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import anyio.to_thread

from agent.errors import PictureRefused
from agent.event_parts import Picture, PictureFile
from agent.routes.seeing import NOBODY_SEES, anybody_sees
from agent.sessions.world import World
from agent.view.pictures import MAX_PICTURES, digests_in, looked_at, with_pictures


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


async def put_in(world: World, session: str, messages: Sequence[bytes]) -> tuple[bytes, ...]:
    """The messages of a session as a model that sees gets them."""

    def filled() -> tuple[bytes, ...]:
        return with_pictures(messages, world.store.pictures(session, digests_in(messages)))

    # In a thread: megabytes are read and written out anew.
    return await anyio.to_thread.run_sync(filled)
