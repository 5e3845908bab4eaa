"""`variet engine bench` on cards that do not say which process holds what, as on Windows, in WSL2 and in containers."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
from click.testing import CliRunner, Result

from config.paths import HOME_VARIABLE
from inference.cards.card import Card
from inference.cards.memory import MemoryBook
from inference.cards.returning import CardMemory
from inference.catalog import build_catalog
from inference.cli import engine
from inference.scheduling.policy import Policy
from tests.fakes.children import FakeChildren
from tests.fakes.upstream import Exchange
from tests.inference.engines import RunningEngine, running, settings, with_files

TAKES_MIB = {"large": 9000, "small": 7000, "cpu": 0}
ON_A_CARD: Mapping[str, Any] = {
    "models": {name: {"path": f"/models/{name}.gguf", **({} if mib else {"gpus": []})} for name, mib in TAKES_MIB.items()},
    "tiers": {"fast": "small", "balanced": "large"},
    "virtual": {},
}


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "asking"))


@dataclass
class OneCard:
    """It shows how much of it is free, and of nobody what he holds."""

    children: FakeChildren | None = None

    def look(self) -> tuple[Card, ...]:
        there = [] if self.children is None else [child.spec.name for child in self.children.started if not child.is_over]
        return (Card(0, "Example", "GPU-0", 12288, 12288 - sum(TAKES_MIB[name] for name in there)),)


def writing(on: RunningEngine, *, is_measured: bool = False) -> Callable[[Exchange], Awaitable[None]]:
    """A model's server that answers once its load has been taken down, where that is told."""

    async def answer(exchange: Exchange) -> None:
        asked = json.loads(exchange.request.body)
        if is_measured:
            await on.supervisor.wait_until(lambda state: asked["model"] in state.policy.memory.measured_mib)
        rate = 10.0 if asked["model"] == "cpu" else 60.0
        timings = {"prompt_per_second": rate, "predicted_per_second": rate}
        await exchange.json(json.dumps({"tokens": list(range(600))} if "content" in asked else {"timings": timings}).encode())

    return answer


async def bench(on: RunningEngine, *models: str) -> Result:
    return await anyio.to_thread.run_sync(lambda: CliRunner().invoke(engine, ["bench", *models, "--runs", "1", "--url", on.url]))


async def measured(folder: Path, *models: str, is_measured: bool) -> list[str]:
    """What is shown of these, one after the other, and whether the loads' logs say what went where."""
    logs = folder / "logs"
    logs.mkdir()
    for name, mib in TAKES_MIB.items() if is_measured else ():
        buffer = f"{'CUDA0' if mib else 'CPU'} model buffer size = {mib or 5000}.00 MiB"
        (logs / f"model-{name}.log").write_text(f"load_tensors: {buffer}\n", encoding="utf-8")
    card, memory = OneCard(), CardMemory(MemoryBook(folder / "memory.json", logs))
    async with running(folder, bound_s=60, models=ON_A_CARD, look=card.look, memory=memory) as (on, upstream, children):
        card.children = children
        upstream.script = writing(on, is_measured=is_measured)
        found = await bench(on, *models)
    assert found.exit_code == 0, found.output
    return found.stdout.splitlines()


def held(lines: list[str]) -> list[str]:
    (line,) = (line for line in lines if line.startswith("GPU memory"))
    return line.removeprefix("GPU memory").split()


async def test_what_a_model_takes_is_what_its_load_has_shown_whoever_held_the_card_before(tmp_path: Path) -> None:
    lines = await measured(tmp_path, "large", "small", is_measured=True)
    assert held(lines) == ["9000", "MiB", "7000", "MiB"]
    assert lines[-1].startswith("Processor and card are not compared: ")
    assert not any("the placement is wrong" in line for line in lines)


async def test_what_no_load_has_shown_is_not_known_and_nothing_is_made_of_it(tmp_path: Path) -> None:
    lines = await measured(tmp_path, "large", "small", is_measured=False)
    assert held(lines) == ["-", "-"]
    assert "not known where: large, small" in lines[-1]


async def test_a_model_that_may_see_no_card_is_the_processors_and_is_compared(tmp_path: Path) -> None:
    lines = await measured(tmp_path, "cpu", "large", is_measured=True)
    assert held(lines) == ["0", "MiB", "9000", "MiB"]
    assert lines[-1] == "large reads 6.0 times and writes 6.0 times as fast as cpu."


async def test_a_model_that_may_see_no_card_takes_none_also_where_no_log_says_so(tmp_path: Path) -> None:
    assert held(await measured(tmp_path, "cpu", "small", is_measured=False)) == ["0", "MiB", "-"]


async def test_a_model_that_is_changed_while_it_is_measured_is_not_kept_as_measured(tmp_path: Path) -> None:
    async with running(tmp_path, bound_s=60) as (on, upstream, _):
        answer = writing(on)

        async def change_and_answer(exchange: Exchange) -> None:
            models: dict[str, Any] = {**with_files(tmp_path)["models"]}
            catalog = build_catalog(settings(models={**models, "small": {**models["small"], "n_gpu_layers": 0}}))
            await on.supervisor.reconfigure(catalog, Policy(catalog.models), frozenset())
            await answer(exchange)

        upstream.script = change_and_answer
        found = await bench(on, "fast")
        rates = (await on.client.get("/v1/models/fast")).json()["meta"]["rates"]
    assert found.exit_code == 1
    assert "engine.toml has changed what fast runs since its measurement began, which is not kept" in found.output
    assert rates is None


def test_the_help_names_what_really_keeps_a_model_off_the_cards() -> None:
    said = " ".join(CliRunner().invoke(engine, ["bench", "--help"]).output.split())
    assert "name one model twice in engine.toml, once with gpus = []" in said
