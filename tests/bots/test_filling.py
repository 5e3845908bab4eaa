"""What a tool server asks for is typed line by line, and goes to the service with the yes; without a yes nothing is asked for."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, cast

import anyio
import pytest
from rich.console import Console

from agent.event_parts import AskedField
from agent.events import ApprovalNeeded
from bots.link import Link
from bots.repl.asking import Asking
from bots.repl.place import Place
from bots.repl.shown.screen import Screen
from bots.repl.typed.pipe import PipePerson

pytestmark = pytest.mark.anyio
NOTHING: dict[str, str] = {}
FIELDS = (AskedField(name="copies", label="Copies", wants="a whole number"), AskedField(name="shelf", label="Shelf", wants="a text"))


class Service:
    """Takes answers down."""

    def __init__(self) -> None:
        self.answers: list[tuple[bool, Mapping[str, str] | None]] = []

    async def approve(self, approval: str, *, digest: str, granted: bool, who: str, typed: Mapping[str, str] | None = None) -> None:
        assert (approval, digest) == ("q-1", "d")
        self.answers.append((granted, typed))

    async def service(self) -> Any:
        return self


@pytest.mark.parametrize(
    ("lines", "fields", "answer"),
    [
        ("y\n3\n\n", FIELDS, (True, {"copies": "3", "shelf": ""})),
        ("no\n3\n", FIELDS, (False, NOTHING)),
        ("y\n", (), (True, NOTHING)),
    ],
)
async def test_a_yes_brings_what_was_typed(
    monkeypatch: pytest.MonkeyPatch, lines: str, fields: tuple[AskedField, ...], answer: tuple[bool, dict[str, str]]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    service, shown = Service(), io.StringIO()
    asking = Asking(cast("Link", service), Screen(Console(file=shown)), PipePerson(), Place(), anyio.sleep_forever)
    needed = ApprovalNeeded(
        turn="t", approval="q-1", call="c", name="print", tool_class="send", summary="printer asks you something",
        lines=(("Copies", "a whole number, needed"),), digest="d", expires_at="2026-11-21T12:00:00+01:00", fields=fields,
    )  # fmt: skip
    await asking.ask([needed], session=None, give=asking.give)
    assert service.answers == [answer]
    assert "a whole number, needed" in shown.getvalue()
    assert not asking.is_asking
