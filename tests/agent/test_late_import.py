"""Modules that are imported in threads: two that lead into one package whose modules import each other both come in whole."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import anyio
import pytest

from agent.late_import import late_import

BOUND_S = 60
FILES = {
    "__init__.py": "from {name}.client import asked",
    "client.py": "import time; time.sleep(0.3); from {name}.server import answer; asked = answer",
    "server/__init__.py": "import {name}.client; answer = 42",
    "server/door.py": "from {name}.server import answer",
}
"""Alone, each way in is fine; side by side each thread has what the other waits for."""


@pytest.mark.anyio
async def test_two_ways_into_one_package_at_once_are_both_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "late_import_example"
    for file, text in FILES.items():
        place = tmp_path / name / file
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text.format(name=name), encoding="utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    found: dict[str, ModuleType] = {}

    async def load(module: str, after_s: float) -> None:
        await anyio.sleep(after_s)
        found[module] = await late_import(module)

    try:
        with anyio.fail_after(BOUND_S):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(load, name, 0.0)
                tasks.start_soon(load, f"{name}.server.door", 0.1)
        assert found[name].asked == found[f"{name}.server.door"].answer == 42
    finally:
        for module in [each for each in sys.modules if each.partition(".")[0] == name]:
            del sys.modules[module]
