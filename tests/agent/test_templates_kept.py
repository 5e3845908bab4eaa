"""What is kept of templates is worth a second of work: a file of it that cannot be read makes no turn fail."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import anyio
import pytest

from agent.calls.assemble import Reply
from agent.engine.client import EngineClient
from agent.engine.templates import INSIDE, Templates
from agent.events import RouteChosen

ROUTE = RouteChosen(turn="t", node="home", tier="fast", model="small", rule="default", reasons=())


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("kept", "is_inside"),
    [
        (f'{{"home/small": "{INSIDE}"}}', True),
        ('{"home/small": ["inside"]}', False),
        ("[" * 100_000, False),
        ("no JSON", False),
        (None, False),
    ],
)
async def test_whatever_is_in_the_file_an_answer_can_be_asked_for(tmp_path: Path, kept: str | None, is_inside: bool) -> None:
    path = tmp_path / "templates.json"
    if kept is None:
        path.mkdir()
    else:
        path.write_text(kept, encoding="utf-8")
    templates = Templates({"home": cast("EngineClient", object())}, path)
    assert await templates.begins_inside(ROUTE) is is_inside


class Silent:
    """An engine that says nothing about itself."""

    async def status(self) -> None:
        await anyio.sleep_forever()


@pytest.mark.anyio
async def test_a_request_does_not_wait_until_another_conversations_template_was_looked_at(tmp_path: Path) -> None:
    templates, settled = Templates({"home": cast("EngineClient", Silent())}, tmp_path / "templates.json"), anyio.Event()

    async def settle() -> None:
        await templates.settle(ROUTE, Reply("Hello.", reasoning="Hm."))
        settled.set()

    async with anyio.create_task_group() as tasks:
        assert not await templates.begins_inside(ROUTE)
        tasks.start_soon(settle)
        await anyio.wait_all_tasks_blocked()
        assert not await templates.begins_inside(ROUTE)
        assert not settled.is_set()
        tasks.cancel_scope.cancel()
