"""Programs of other people that start slowly, know the older protocol alone, answer with errors of their own and print what they like."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest
from mcp import Client, MCPError
from mcp.client import session

from agent.errors import OutcomeUnknown
from agent.tools import spec as specs
from agent.tools.older import AUTO, LEGACY, STARTED_S, OlderBook, other_mode, was_silent
from agent.tools.spec import ServerSpec
from agent.tools.toolbox import Toolbox

pytestmark = pytest.mark.anyio
BOUND_S = 60.0
FAKE = Path(__file__).parents[1] / "fakes" / "odd_server.py"


def odd(folder: Path, *oddities: str, **options: Any) -> ServerSpec:
    options.setdefault("start_timeout_s", BOUND_S)
    return ServerSpec("odd", (sys.executable, "-S", str(FAKE), str(folder), *oddities), **options)


async def until(holds: Callable[[], bool]) -> None:
    while True:
        if holds():
            return
        await anyio.sleep(0.02)


def starts(folder: Path) -> int:
    return len((folder / "started").read_text(encoding="utf-8").splitlines())


async def test_a_server_that_ends_at_the_question_which_protocol_it_knows_is_started_again_without_it(tmp_path: Path) -> None:
    with anyio.fail_after(BOUND_S):
        async with Toolbox([odd(tmp_path, "strict")]).running() as box:
            assert [tool.name for tool in await box.tools()] == ["echo", "latin", "refuse"]
            assert box.problems() == {}
            assert starts(tmp_path) == 2
            with pytest.raises(OutcomeUnknown):
                # The library's own words end it, and the next start knows by then.
                await box.call("refuse", {"code": -32000, "message": "Connection closed"}, meta={}, is_read=False)
            assert (await box.call("echo", {"a": 1}, meta={}, is_read=True)).text == '{"a": 1}'
    assert starts(tmp_path) == 3


@pytest.mark.parametrize("oddity", ["strict", "silent"])
async def test_a_server_that_knows_the_older_protocol_alone_is_asked_nothing_at_its_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, oddity: str
) -> None:
    book = tmp_path / "older.json"
    with anyio.fail_after(BOUND_S):
        for probe_s, started in ((0.5, 2 if oddity == "strict" else 1), (BOUND_S, 1)):
            monkeypatch.setattr(session, "DISCOVER_TIMEOUT_SECONDS", probe_s)
            before = starts(tmp_path) if (tmp_path / "started").exists() else 0
            async with Toolbox([odd(tmp_path, oddity)], older=OlderBook(book)).running() as box:
                assert len(await box.tools()) == 3
                assert starts(tmp_path) - before == started
    assert str(tmp_path) not in book.read_text(encoding="utf-8")


async def test_a_program_that_was_slow_to_start_or_answers_the_question_is_not_taken_for_a_silent_one() -> None:
    def client(initialized: object) -> Client:
        return cast("Client", SimpleNamespace(session=SimpleNamespace(initialize_result=initialized)))

    wait_s = session.DISCOVER_TIMEOUT_SECONDS
    assert was_silent(client(object()), wait_s + 0.1)
    # The second was being downloaded when it was asked, and the third knows the newer protocol.
    assert not [
        each for each in ((object(), 0.5), (object(), wait_s + STARTED_S), (None, wait_s + 0.1)) if was_silent(client(each[0]), each[1])
    ]


async def test_what_is_remembered_of_a_program_that_answers_the_question_by_now_is_forgotten(tmp_path: Path) -> None:
    book, spec = OlderBook(tmp_path / "older.json"), odd(tmp_path)
    book.note(spec, LEGACY)
    assert OlderBook(tmp_path / "older.json").mode_of(spec) == LEGACY
    assert [book.mode_of(odd(tmp_path, "silent")), book.mode_of(ServerSpec("odd", url="https://x.example"))] == [AUTO, AUTO]
    # One that does not take the older protocol any more is asked at once, and one that is not there or slow is not.
    assert other_mode(spec, LEGACY, MCPError(code=-32022, message="Unsupported protocol version")) == AUTO
    assert [other_mode(spec, LEGACY, error) for error in (TimeoutError(), FileNotFoundError())] == ["", ""]
    book.note(spec, AUTO)
    assert OlderBook(tmp_path / "older.json").mode_of(spec) == AUTO
    (tmp_path / "older.json").write_text("{", encoding="utf-8")
    assert OlderBook(tmp_path / "older.json").mode_of(spec) == AUTO


@pytest.mark.parametrize(
    ("code", "said"), [*((code, "Issue not found: ABC-1") for code in (-32000, -32001, -32603)), (-32600, "Session terminated")]
)
async def test_an_error_of_the_servers_own_is_a_result_whatever_its_number(tmp_path: Path, code: int, said: str) -> None:
    with anyio.fail_after(BOUND_S):
        async with Toolbox([odd(tmp_path)]).running() as box:
            await box.tools()
            result = await box.call("refuse", {"code": code, "message": said}, meta={}, is_read=False)
            assert (result.is_error, result.text) == (True, said)
            assert (await box.call("echo", {"a": 1}, meta={}, is_read=False)).text == '{"a": 1}'
    assert starts(tmp_path) == 1


async def test_a_line_that_is_no_utf_8_costs_nothing_but_itself(tmp_path: Path) -> None:
    with anyio.fail_after(BOUND_S):
        async with Toolbox([odd(tmp_path, call_timeout_s=5.0)]).running() as box:
            await box.tools()
            for _ in range(2):
                assert (await box.call("latin", {"a": 1}, meta={}, is_read=False)).text == '{"a": 1}'
    assert starts(tmp_path) == 1


async def test_a_program_that_takes_long_to_start_is_waited_for_no_longer_and_let_live(tmp_path: Path) -> None:
    with anyio.fail_after(BOUND_S):
        async with Toolbox([odd(tmp_path, "late", start_timeout_s=0.5)], log_dir=tmp_path).running() as box:
            assert await box.tools() == ()
            log = tmp_path / "server-odd.log"
            assert box.problems() == {"odd": f"it is still starting (a first start may download it); {log} has what it writes"}
            (tmp_path / "ready").touch()
            await until(lambda: not box.problems())
            assert [tool.name for tool in await box.tools()] == ["echo", "latin", "refuse"]
    assert starts(tmp_path) == 1


async def test_a_program_that_never_answers_is_ended_and_the_setting_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(specs, "FIRST_START_S", 1.0)
    with anyio.fail_after(BOUND_S):
        async with Toolbox([odd(tmp_path, "late", start_timeout_s=0.5)], log_dir=tmp_path).running() as box:
            await box.tools()
            await until(lambda: "still starting" not in box.problems()["odd"])
            problem = box.problems()["odd"]
    log = tmp_path / "server-odd.log"
    assert problem == f"it did not start within 1 s: {log} has what it wrote, and `start_timeout_s` of this server gives it longer"


async def test_a_program_that_is_still_starting_is_ended_with_everything_else(tmp_path: Path) -> None:
    with anyio.fail_after(BOUND_S):
        async with Toolbox([odd(tmp_path, "late", start_timeout_s=0.5)]).running() as box:
            assert await box.tools() == ()
            await until(lambda: (tmp_path / "started").exists() and starts(tmp_path) == 1)
            process = int((tmp_path / "started").read_text(encoding="utf-8"))
            os.kill(process, 0)  # It is there.
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    assert starts(tmp_path) == 1
