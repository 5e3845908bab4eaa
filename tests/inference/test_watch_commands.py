"""`variet engine top|activity|logs`, against an engine on a real port."""

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import anyio.to_thread
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from config.paths import HOME_VARIABLE
from inference.activity.finished import Finished
from inference.activity.model_logs import log_path
from inference.cli import engine
from inference.commands import top as top_command
from inference.commands.asking import AskedEngine
from inference.commands.options import Failure
from inference.commands.top import Look, screen
from inference.contract import (
    ActivityAnswer,
    EngineStatus,
    Gpu,
    ModelStatus,
    ProcessMemory,
    QueuedRequest,
    Resources,
    SwapProgress,
    SwapReason,
    SwapRecord,
    SwapsAnswer,
)
from tests.inference.engines import RunningEngine, running

ONE = Finished("req-1", "laptop", "small", "fast", 0.5, 1.5, 2.25, 10, 4, 20, 33.3, "ok", None, 200, 999, 3.0)
GONE = Finished("req-2", None, None, None, 0.0, 0.0, None, None, None, None, None, "refused", "model_not_found", 404, 0, 0.0)


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "asking"))


async def _run(on: RunningEngine, *arguments: str) -> Result:
    return await anyio.to_thread.run_sync(lambda: CliRunner().invoke(engine, [*arguments, "--url", on.url]))


async def _recorded(on: RunningEngine) -> None:
    on.observatory.observe(ONE)
    on.observatory.observe(GONE)
    while len((await on.observatory.log.page(limit=9, after=0)).requests) < 2:  # noqa: ASYNC110 - a thread writes it
        await anyio.sleep(0.01)


async def test_activity_is_printed_as_a_table_and_as_json(tmp_path: Path) -> None:
    async with running(tmp_path, bound_s=60) as (on, _, _):
        assert (await _run(on, "activity")).output == "No request has ended yet.\n"
        await _recorded(on)
        table = (await _run(on, "activity")).output.splitlines()
        as_json = json.loads((await _run(on, "activity", "--json", "--limit", "1")).output)
    assert table[0].split() == "ended model key outcome waited load first tokens tokens/s".split()
    assert table[1].split()[1:] == "small laptop ok 0.50 s 1.50 s 2.25 s 10 > 20 33.3".split()
    assert "refused: model not found" in table[2]
    assert [each["request"] for each in as_json["requests"]] == ["req-2"]


async def test_the_last_loads_are_printed_with_their_reasons(tmp_path: Path) -> None:
    async with running(tmp_path, bound_s=60) as (on, _, _):
        assert (await _run(on, "swaps")).output == "Nothing has been loaded yet.\n"
        for tier in ("fast", "balanced"):
            await on.client.post("/engine/switch", json={"tier": tier})
        while len((await on.observatory.log.swaps(9)).swaps) < 2:  # noqa: ASYNC110 - a thread writes it, and tells nobody
            await anyio.sleep(0.01)
        lines = (await _run(on, "swaps")).output.splitlines()
        as_json = json.loads((await _run(on, "swaps", "--json", "--limit", "1")).output)
    assert [line.split()[2] for line in lines] == ["small", "large"]
    assert lines[1].endswith("a switch or load asked for it; in place of small")
    assert [each["model"] for each in as_json["swaps"]] == ["large"]


async def test_top_prints_once_where_nobody_looks(tmp_path: Path) -> None:
    async with running(tmp_path, bound_s=60) as (on, _, _):
        await _recorded(on)
        shown = await _run(on, "top")
        as_json = json.loads((await _run(on, "top", "--json")).output)
    assert shown.exit_code == 0
    assert "\x1b" not in shown.output
    for expected in ("Variet engine 0.0.0", "small", "balanced", "unloaded", "refused: model not found"):
        assert expected in shown.output
    assert [each["name"] for each in as_json["status"]["models"]] == ["small", "large"]
    assert set(as_json) == {"status", "activity", "resources", "swaps"}


async def test_top_looks_again_and_again_on_a_screen_of_its_own_until_ctrl_c(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0

    def until_the_third_look(_seconds: float) -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(top_command, "Console", partial(Console, force_terminal=True, width=120, height=30))
    clock = SimpleNamespace(sleep=until_the_third_look, strftime=time.strftime, localtime=time.localtime)
    monkeypatch.setattr(top_command, "time", clock)
    async with running(tmp_path, bound_s=60) as (on, _, _):
        shown = await _run(on, "top")
    assert shown.exit_code == 0
    begun, ended = shown.output.index("\x1b[?1049h"), shown.output.index("\x1b[?1049l")
    assert shown.output[begun:ended].count("Variet engine 0.0.0") >= 3


def test_the_screen_shows_cards_queue_and_the_load_with_what_is_left() -> None:
    forced = SwapReason(why="a switch that was forced", by="laptop", evicted=("small",))
    models = (
        ModelStatus(name="small", state="ready", tiers=("fast",), in_flight=2, pid=7, last_load_s=3.25),
        ModelStatus(name="large", state="failed", error="no [bold]memory[/bold]\nmore"),
    )
    status = EngineStatus(
        version="1",
        models=models,
        queue=(QueuedRequest(id="req-9", model="large", waited_s=4.5, position=1),),
        swap=SwapProgress(model="large", phase="loading", elapsed_s=4.0, expected_s=10.0, percent=40.0, reason=forced),
        age_bound_s=2.0,
    )
    record = SwapRecord(id=1, at=0.0, model="small", outcome="ready", seconds=3.25, reason=SwapReason(why="a request waited 2.1 s"))
    resources = Resources(
        engine=ProcessMemory(name="engine", pid=1, resident_mib=60.0),
        models=(ProcessMemory(name="small", pid=7, resident_mib=512.4),),
        gpus=(Gpu(index=0, name="Card", total_mib=12288, free_mib=288, used_by={"small": 9000, "voice": 2000}),),
    )
    console = Console(width=120, record=True, color_system=None, force_terminal=False)
    with console.capture() as captured:
        console.print(screen(Look(status, ActivityAnswer(enabled=False), resources, SwapsAnswer(enabled=True, swaps=(record,)))))
    for expected in (
        "512 MiB",
        "GPU 0 Card: 12000 of 12288 MiB used (small 9000, voice 2000)",
        "about 6 s left",
        "req-9",
        "4.50 s",
        "no [bold]memory[/bold]",
        "40 %",
        "a switch that was forced (from laptop); in place of small",
        "Who has waited 2 s goes first",
        "a request waited 2.1 s",
    ):
        assert expected in captured.get()


async def test_logs_are_printed_and_cannot_steer_the_terminal(tmp_path: Path) -> None:
    async with running(tmp_path, bound_s=60) as (on, _, _):
        log_path(on.observatory.log_dir, "small").write_text("one\n\x1b[2Jtwo\n", encoding="utf-8")
        shown = await _run(on, "logs", "fast", "-n", "5")
        unknown = await _run(on, "logs", "ultra")
    assert shown.output == "one\n�[2Jtwo\n"
    assert unknown.exit_code == 1
    assert "There are: " in unknown.output


def test_without_an_engine_top_says_how_to_start_one() -> None:
    found = CliRunner().invoke(engine, ["top", "--url", "http://127.0.0.1:1"])
    assert found.exit_code == 3
    assert "variet engine serve" in found.output


def test_what_a_models_process_said_cannot_steer_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = "out of\x1b[2J memory\x07\x9b1A"
    why = SwapReason(why="a request waited", by=odd)
    failed = ModelStatus(name="large", state="failed", error=f"{odd}\n{odd}", obstacle=odd, reason=why)
    queued = QueuedRequest(id=odd, model="large", waited_s=4.5, position=1, why=odd)
    swap = SwapProgress(model=odd, phase="loading", elapsed_s=4.0, expected_s=10.0, percent=40.0, reason=why)
    record = SwapRecord(id=1, at=0.0, model="large", outcome="failed", seconds=3.25, reason=why, error=f"{odd}\n{odd}")
    status, swaps = EngineStatus(version=odd, models=(failed,), queue=(queued,), swap=swap), SwapsAnswer(enabled=True, swaps=(record,))
    resources = Resources(engine=ProcessMemory(name="engine", pid=1, resident_mib=60.0), models=(), gpus=())
    look = Look(status, ActivityAnswer(enabled=False), resources, swaps)
    console = Console(width=120, color_system=None, force_terminal=False)
    with console.capture() as captured:
        console.print(screen(look))

    def answer(_self: AskedEngine, _method: str, path: str, *_: object) -> EngineStatus | SwapsAnswer:
        return status if path.endswith("status") else swaps

    monkeypatch.setattr(AskedEngine, "__call__", answer)
    outputs = [CliRunner().invoke(engine, [name, "--url", "http://127.0.0.1:1"], color=True).output for name in ("status", "swaps")]
    for shown in (captured.get(), *outputs):
        assert "memory" in shown
        assert all(line.isprintable() for line in shown.split("\n"))


def test_a_refusal_cannot_steer_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise Failure("large ended: \x1b[2J out of memory")

    monkeypatch.setattr(AskedEngine, "__call__", refuse)
    shown = CliRunner().invoke(engine, ["status", "--url", "http://127.0.0.1:1"], color=True)
    assert shown.exit_code == 1
    assert "out of memory" in shown.output
    assert "\x1b" not in shown.output
