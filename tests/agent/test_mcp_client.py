from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import anyio
import anyio.to_thread
import pytest

from agent.errors import OutcomeUnknown, ToolUnavailable
from agent.safety.manifest import MANIFEST, UNKNOWN
from agent.tools import mcp_client
from agent.tools.mcp_client import ServerConnection
from agent.tools.mcp_wire import Connection, Ears
from agent.tools.pin_book import PinBook
from agent.tools.served import ServedTool
from agent.tools.spec import ServerSpec
from agent.tools.toolbox import Toolbox, name_tools
from config.disk.long_logs import MAX_LOG_BYTES
from tests.fakes.mcp_tools import effects

pytestmark = pytest.mark.anyio
META = {"variet/context": {"now": "2026-11-21T09:15:00+01:00"}}


def fake(folder: Path, name: str = "calendars", **options: Any) -> ServerSpec:
    folder.mkdir(exist_ok=True)
    options.setdefault("start_timeout_s", 55.0)
    return ServerSpec(name, (sys.executable, "-m", "tests.fakes.mcp_tools", str(folder)), builtin=name, **options)


def starts(folder: Path) -> list[str]:
    return (folder / "started").read_text(encoding="utf-8").splitlines()


async def call(box: Toolbox, tool: str, title: str = "", *, is_read: bool = True, meta: Mapping[str, Any] = META) -> str:
    return (await box.call(tool, {"title": title}, meta=meta, is_read=is_read)).text


async def test_tools_are_listed_sorted_with_what_the_manifest_knows_of_them(tmp_path: Path):
    with anyio.fail_after(60):
        async with Toolbox([fake(tmp_path)]).running() as box:
            tools = {tool.name: tool for tool in await box.tools()}
    assert list(tools) == sorted(tools)
    assert tools["list_events"].facts == MANIFEST["calendars", "list_events"]
    assert tools["strange"].facts == UNKNOWN


async def test_a_call_carries_its_meta_and_a_result_that_misses_its_schema_is_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with anyio.fail_after(60), caplog.at_level(logging.WARNING):
        async with Toolbox([fake(tmp_path)]).running() as box:
            await box.tools()
            result = await box.call("list_events", {"title": "x"}, meta=META, is_read=True)
            prepared = await box.call("create_event", {"title": "x"}, meta={"variet/prepare": True}, is_read=True)
    text, warning = result.text.split("\n")
    assert text == "list_events: x at 2026-11-21T09:15:00+01:00"
    assert warning.startswith("(Warning: this is not what the tool says that it returns.")
    assert result.structured == {"count": "none"}
    assert "kept a result that misses its schema" in caplog.text
    assert prepared.structured is not None
    assert prepared.structured["prepared"]["host"].keys() == {"uid"}
    assert effects(tmp_path) == []


async def test_an_error_that_the_server_answers_with_is_a_result(tmp_path: Path):
    with anyio.fail_after(60):
        async with Toolbox([fake(tmp_path)]).running() as box:
            await box.tools()
            result = await box.call("create_event", {"title": "impossible"}, meta={"variet/prepare": True}, is_read=True)
    assert (result.is_error, result.text) == (True, 'No event matches "impossible".')


async def test_two_calls_to_one_server_run_side_by_side(tmp_path: Path):
    with anyio.fail_after(60):
        async with Toolbox([fake(tmp_path)]).running() as box:
            await box.tools()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(call, box, "list_events", "meet")
                tasks.start_soon(call, box, "read_mail", "meet")


async def test_a_server_that_dies_in_a_read_is_started_again_and_asked_again(tmp_path: Path):
    with anyio.fail_after(60):
        async with Toolbox([fake(tmp_path)]).running() as box:
            await box.tools()
            (tmp_path / "die-list_events").touch()
            assert (await call(box, "list_events", "x")).startswith("list_events: x")
    assert len(starts(tmp_path)) == 2


async def test_a_server_that_dies_in_a_write_is_started_again_but_the_write_is_not_repeated(tmp_path: Path):
    with anyio.fail_after(60):
        async with Toolbox([fake(tmp_path)]).running() as box:
            await box.tools()
            (tmp_path / "die-send_mail").touch()
            with pytest.raises(OutcomeUnknown, match="not known whether it took effect"):
                await call(box, "send_mail", "x", is_read=False)
            assert (await call(box, "list_events")).startswith("list_events")
    assert len(effects(tmp_path)) == 1


async def test_a_server_that_died_while_idle_is_noticed_before_the_next_call_reaches_it(tmp_path: Path):
    with anyio.fail_after(60):
        async with Toolbox([fake(tmp_path)]).running() as box:
            await box.tools()
            os.kill(int(starts(tmp_path)[0]), 9)
            while len(starts(tmp_path)) < 2:
                await anyio.lowlevel.checkpoint()
            await call(box, "send_mail", "x", is_read=False)
    assert len(effects(tmp_path)) == 1


async def test_servers_that_hang_or_cannot_start_hold_up_nobody_and_are_named(tmp_path: Path):
    hanging, good = tmp_path / "hanging", tmp_path / "good"
    for folder in (hanging, good):
        folder.mkdir()
    (hanging / "hang-start").touch()
    specs = [
        fake(hanging, "mail", start_timeout_s=3.0),
        fake(good),
        ServerSpec("missing", ("no-such-program-anywhere",)),
        ServerSpec("quitter", (sys.executable, "-c", "pass")),
    ]
    with anyio.fail_after(60):
        async with Toolbox(specs, log_dir=tmp_path).running() as box:
            assert {tool.server for tool in await box.tools()} == {"calendars"}
            assert box.problems() == {
                "mail": f"it did not start within 3 s: {tmp_path / 'server-mail.log'} has what it wrote, "
                "and `start_timeout_s` of this server gives it longer",
                "missing": "its command 'no-such-program-anywhere' was not found: install it, or name its whole path in agent.toml",
                "quitter": f"its command {sys.executable!r} ended as it started; {tmp_path / 'server-quitter.log'} has what it wrote",
            }
            assert (await call(box, "list_events")).startswith("list_events")
            with pytest.raises(ToolUnavailable):
                await call(box, "no_such_tool")


async def test_a_cancelled_call_ends_at_once_and_the_server_goes_on(tmp_path: Path):
    os.mkfifo(tmp_path / "hold-list_events")
    with anyio.fail_after(60):
        async with Toolbox([fake(tmp_path)]).running() as box:
            await box.tools()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(call, box, "list_events")
                await anyio.to_thread.run_sync((tmp_path / "hold-list_events").read_text)
                tasks.cancel_scope.cancel()
            assert (await call(box, "read_mail", "x")).startswith("read_mail: x")
    assert len(starts(tmp_path)) == 1


async def test_calls_that_are_under_way_when_the_toolbox_stops_end(tmp_path: Path):
    os.mkfifo(tmp_path / "hold-send_mail")
    raised: list[Exception] = []

    async def send(box: Toolbox) -> None:
        try:
            await call(box, "send_mail", is_read=False)
        except OutcomeUnknown as error:
            raised.append(error)

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks, Toolbox([fake(tmp_path)]).running() as box:
            await box.tools()
            tasks.start_soon(send, box)
            await anyio.to_thread.run_sync((tmp_path / "hold-send_mail").read_text)
    assert len(raised) == 1


async def test_a_server_that_dies_at_once_is_started_slower_each_time_and_one_that_lived_at_once(monkeypatch: pytest.MonkeyPatch):
    waits: list[float] = []
    lives_s = [0.0] * 7 + [mcp_client.HEALTHY_S, 0.0]
    time_s = 0.0

    async def wait(wait_s: float) -> None:
        if len(waits) == len(lives_s):
            enough.cancel()
            await anyio.lowlevel.checkpoint()
        waits.append(wait_s)

    async def live(_: object) -> None:
        nonlocal time_s
        time_s += lives_s[len(waits) - 1]

    connection = ServerConnection(ServerSpec("restless"))
    monkeypatch.setattr(connection, "_live_once", live)
    monkeypatch.setattr(mcp_client.anyio, "sleep", wait)
    monkeypatch.setattr(mcp_client.anyio, "current_time", lambda: time_s)
    with anyio.CancelScope() as enough:
        await connection.run()
    assert waits == [0.0, 0.5, 2.0, 5.0, 15.0, 60.0, 60.0, 60.0, 0.0]


def tool(name: str, description: str = "") -> ServedTool:
    return ServedTool(name, description, {}, {})


def test_a_name_that_two_servers_use_is_prefixed_for_both_and_the_others_stand():
    specs = {name: ServerSpec(name) for name in ("a", "b")}
    tools = name_tools(specs, {"b": [tool("find"), tool("only")], "a": [tool("find")]})
    assert [(tool.name, tool.server, tool.own_name) for tool in tools] == [
        ("a_find", "a", "find"),
        ("b_find", "b", "find"),
        ("only", "b", "only"),
    ]


def test_no_server_takes_the_place_of_a_tool_of_ours_by_its_choice_of_names():
    specs = {"mail": ServerSpec("mail", builtin="mail"), "zeta": ServerSpec("zeta")}
    served = {"mail": [tool("search_mail")], "zeta": [tool("search_mail"), tool("mail_search_mail"), tool("zeta_search_mail")]}
    named = {each.name: (each.server, each.own_name) for each in name_tools(specs, served)}
    assert named["search_mail"] == ("mail", "search_mail")
    assert len(named) == 4
    later = {("mail", "search_mail"): "mail_search_mail", ("mail", "find"): "zeta_search_mail"}
    named = {each.name: (each.server, each.own_name) for each in name_tools(specs, served, later)}
    assert named["mail_search_mail"] == ("mail", "search_mail")
    assert "zeta_search_mail" not in named, "it was the name of a tool that may come back"
    assert len(named) == 4


def test_no_server_takes_a_name_of_ours_that_is_not_there_yet():
    specs = {"mail": ServerSpec("mail", builtin="mail"), "zeta": ServerSpec("zeta"), "search": ServerSpec("search")}
    others = {"zeta": [tool("search_mail"), tool("find")], "search": [tool("mail"), tool("find")]}
    early = {each.name: (each.server, each.own_name) for each in name_tools(specs, {"mail": [], **others})}
    assert set(early) == {"zeta_search_mail", "zeta_find", "search_find", "mail"}
    settled = {by: name for name, by in early.items()}
    late = {each.name: (each.server, each.own_name) for each in name_tools(specs, {"mail": [tool("search_mail")], **others}, settled)}
    assert late == {**early, "search_mail": ("mail", "search_mail")}
    composed = name_tools(specs, {"mail": [], "search": [tool("mail")], "zeta": [tool("mail")]})
    assert [each.name for each in composed] == ["search_mail_2", "zeta_mail"], "nor by the name of its server"
    without = {name: spec for name, spec in specs.items() if name != "mail"}
    assert "search_mail" in {each.name for each in name_tools(without, others)}, "ours is not wanted: nobody's name is kept"


def test_two_tools_of_one_server_with_one_name_are_one():
    (only,) = name_tools({"a": ServerSpec("a")}, {"a": [tool("find", "the first"), tool("find", "the second")]})
    assert (only.name, only.description) == ("find", "the first")


async def test_kept_descriptions_that_cannot_be_read_are_told_at_every_turn_and_leave_no_turn_without_tools(tmp_path: Path):
    pins = tmp_path / "pins.json"
    pins.write_text('{"missing": {"find": 1}}', encoding="utf-8")
    specs = [ServerSpec("missing", ("no-such-program-anywhere",))]
    with anyio.fail_after(60):
        async with Toolbox(specs, pins=PinBook(pins)).running() as box:
            for _ in range(2):
                with pytest.raises(ValueError, match="cannot be read"):
                    await box.tools()


async def test_a_server_that_says_without_end_that_its_tools_have_changed_is_asked_for_them_now_and_then(monkeypatch: pytest.MonkeyPatch):
    asked: list[int] = []
    connection = ServerConnection(ServerSpec("restless"))

    async def list_once_more(_: object) -> tuple[ServedTool, ...]:
        asked.append(1)
        connection._note_change()  # pyright: ignore[reportPrivateUsage]
        return (tool("find"),)

    async def hear_nothing(*_: object) -> None:
        connection._note_change()  # pyright: ignore[reportPrivateUsage]

    monkeypatch.setattr(mcp_client, "list_tools", list_once_more)
    monkeypatch.setattr(mcp_client, "hear_changes", hear_nothing)
    monkeypatch.setattr(mcp_client, "LIST_EVERY_S", 1000.0)
    ears = Ears(connection._ask, connection._note_change)  # pyright: ignore[reportPrivateUsage]
    wire: Any = Connection(cast("Any", None), cast("Any", None), ears)
    with anyio.move_on_after(1.0):
        await connection._follow_tools(wire, anyio.Event())  # pyright: ignore[reportPrivateUsage]
    assert (len(asked), [each.name for each in connection.tools]) == (1, ["find"])


async def test_a_long_log_of_a_server_is_begun_anew_with_its_next_start(tmp_path: Path):
    log = tmp_path / "server-quitter.log"
    log.touch()
    os.truncate(log, MAX_LOG_BYTES + 1)
    quitter = ServerSpec("quitter", (sys.executable, "-c", "import sys; sys.exit('no luck')"))
    with anyio.fail_after(60):
        async with Toolbox([quitter], log_dir=tmp_path).running() as box:
            await box.tools()
    assert set(log.read_text(encoding="utf-8").splitlines()) == {"no luck"}
    assert (tmp_path / "server-quitter.log.1").stat().st_size == MAX_LOG_BYTES + 1
