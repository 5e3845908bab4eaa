"""What is kept of templates is worth a second of work: a file of it that cannot be read makes no turn fail."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

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
