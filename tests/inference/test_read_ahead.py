"""The next model's files are in memory before it starts: which, when, how much, and not a byte more once nobody wants them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from queue import Queue

import anyio
import anyio.to_thread
import pytest

from inference.catalog import ModelSpec
from inference.contract import SwapProgress
from inference.files import page_cache
from inference.files.foresight import RESERVE_BYTES, expected, is_affordable
from inference.files.model_files import files_of
from inference.files.page_cache import WINDOW_BYTES, read_through
from inference.files.read_ahead import ReadAhead, read_files
from tests.fakes.children import FakeChildren
from tests.inference.engines import supervised

BOUND_S = 20
"""For a busy machine."""
A_BLINK_S = 0.01
MODEL = ModelSpec("m", "llama-server", Path("models/m.gguf"), context=1024, slots=1, admitted=1)


@pytest.mark.parametrize(
    ("phase", "is_read"),
    [("queued", True), ("stopping", True), ("starting", False), ("loading", False), ("ready", False), ("failed", False)],
)
def test_a_model_is_read_ahead_as_long_as_it_waits_for_another_to_go(phase: str, is_read: bool) -> None:
    progress = SwapProgress.model_validate({"model": "m", "phase": phase, "elapsed_s": 0.0})
    assert expected(progress) == ("m" if is_read else None)
    assert expected(None) is None


def test_all_that_a_process_reads_is_read_and_a_model_in_parts_is_one() -> None:
    spec = replace(MODEL, path=Path("a/big-00001-of-00003.gguf"), mmproj=Path("eye.gguf"), draft=Path("draft-00001-of-00002.gguf"))
    parts = [f"a/big-0000{number}-of-00003.gguf" for number in (1, 2, 3)]
    assert [path.as_posix() for path in files_of(spec)] == [*parts, "eye.gguf", *(f"draft-0000{number}-of-00002.gguf" for number in (1, 2))]
    assert files_of(MODEL) == (MODEL.path,)
    for no_part in ("big-00000-of-00000.gguf", "big-00004-of-00003.gguf", "big-1-of-3.gguf"):
        assert files_of(replace(MODEL, path=Path(no_part))) == (Path(no_part),)


def test_nothing_is_read_into_memory_that_somebody_needs() -> None:
    assert is_affordable([5, 6], RESERVE_BYTES + 11)
    assert not is_affordable([5, 6], RESERVE_BYTES + 10)
    assert not is_affordable([1], None)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "large.gguf"
    path.write_bytes(b"x" * (2 * WINDOW_BYTES + 7))
    return path


@pytest.mark.parametrize("is_cold", [True, False])
def test_a_file_is_read_to_its_end_whether_or_not_it_was_there(file: Path, is_cold: bool) -> None:
    if is_cold:
        page_cache.forget(file)
    assert read_through(file, lambda: True) == 2 * WINDOW_BYTES + 7


def test_reading_ends_with_the_window_in_which_it_is_called_off(file: Path) -> None:
    answers = iter([True, False])
    assert read_through(file, lambda: next(answers)) == WINDOW_BYTES
    assert read_through(file, lambda: False) == 0


def test_a_file_that_is_too_large_for_what_is_free_is_left_alone(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []
    monkeypatch.setattr(page_cache, "step_back", lambda: None)
    monkeypatch.setattr(page_cache, "read_through", lambda path, _: read.append(path) or 0)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    monkeypatch.setattr(page_cache, "free_bytes", lambda: RESERVE_BYTES)
    read_files([file], lambda: True)
    assert read == []
    monkeypatch.setattr(page_cache, "free_bytes", lambda: 2 * RESERVE_BYTES)
    read_files([file], lambda: True)
    assert read == [file]


def test_a_file_that_is_not_there_is_the_loads_business(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_cache, "step_back", lambda: None)
    read_files([tmp_path / "gone.gguf"], lambda: True)


class Reader:
    """Reads until it is called off, and tells."""

    def __init__(self) -> None:
        self.begun: Queue[str] = Queue()
        self.ended: Queue[str] = Queue()

    def __call__(self, files: Sequence[Path], is_wanted: Callable[[], bool]) -> None:
        self.begun.put(files[0].stem)
        while is_wanted():
            threading.Event().wait(A_BLINK_S)
        self.ended.put(files[0].stem)


async def told(news: Queue[str]) -> str:
    return await anyio.to_thread.run_sync(lambda: news.get(timeout=BOUND_S))


@pytest.mark.anyio
@pytest.mark.parametrize("how", ["it starts", "nobody wants it any more"])
async def test_while_the_old_model_drains_the_next_is_read_until(how: str, tmp_path: Path) -> None:
    reader = Reader()
    async with supervised(FakeChildren(loads_at_once=True), tmp_path) as supervisor, anyio.create_task_group() as tasks:
        tasks.start_soon(ReadAhead(supervisor, reader).run)
        with anyio.fail_after(BOUND_S), ExitStack() as draining, ExitStack() as waiting:
            ticket = draining.enter_context(supervisor.ticket("small"))
            await ticket.wait_granted()
            assert reader.begun.empty()
            waiting.enter_context(supervisor.ticket("large"))
            assert await told(reader.begun) == "large"
            (draining if how == "it starts" else waiting).close()
            assert await told(reader.ended) == "large"
        tasks.cancel_scope.cancel()
