"""Background tasks for the length of a block, whose own error comes out as it is.

A task group wraps what its block raises into a group, so that a caller could no longer catch it by its type.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
from anyio.abc import TaskGroup


@asynccontextmanager
async def background_tasks() -> AsyncGenerator[TaskGroup]:
    """A task group that is cancelled when the block ends, however it ends."""
    raised: Exception | None = None
    async with anyio.create_task_group() as tasks:
        try:
            yield tasks
        except Exception as error:  # noqa: BLE001 - raised again below, outside the group
            raised = error
        tasks.cancel_scope.cancel()
    if raised is not None:
        raise raised
