"""Long calls say what they are at to a client that asked, and to no other, and end soon after it has given them up: the real SDK's client
in this process, over its own streams, and tools whose work would go on for minutes by itself."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp_types import ProgressNotification
from pydantic import SecretStr

from mcp_servers.calendars.backends.caldav.account import CalDavCalendars
from mcp_servers.calendars.backends.caldav.dav import Login
from mcp_servers.calendars.backends.local import LocalCalendars
from mcp_servers.calendars.server import Calendars
from mcp_servers.mail.server import MailTools
from mcp_servers.mailbox.imap.account import ImapAccount
from mcp_servers.mailbox.imap.connection import ImapServer
from mcp_servers.mailbox.store import MailStore
from mcp_servers.outside import confinement
from mcp_servers.outside.confinement import Bounds, text_of_file
from mcp_servers.outside.fetching import Fetcher
from mcp_servers.protocol import progress
from mcp_servers.protocol.calls import Call, Outcome
from mcp_servers.protocol.serving import ToolServer, build, threaded
from mcp_servers.protocol.signatures import ToolSpec
from mcp_servers.searxng.pages import Pages, refuse_unreadable
from mcp_servers.searxng.server import Search
from mcp_servers.workspace.folders.access import Workspace
from mcp_servers.workspace.looking import finding, ripgrep, searching
from mcp_servers.workspace.looking.tools import Reading
from mcp_servers.workspace.running.commands import Allowed
from mcp_servers.workspace.running.tools import Running
from tests.fakes import web as fake
from tests.fakes.searxng import fake_searxng
from tests.fakes.web import Resolver, ToLoopback
from tests.mcp_servers.giving_up import Watched, given_up_at, processes_noted, silent_server
from tests.mcp_servers.test_serving import BOUND_S, text_of

LONG_S = 600.0
"""What a thing takes that nobody ends."""


@pytest.fixture(autouse=True)
def _quick_beats(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    monkeypatch.setattr("mcp_servers.protocol.serving.BEAT_S", 0.05)


def silent(over: threading.Event) -> None:
    over.wait(BOUND_S)


async def test_a_page_that_does_not_come_is_given_up_at_once() -> None:
    over = threading.Event()
    with fake.web(slow=lambda _: silent(over)) as site:
        pages = Pages(Fetcher(Resolver(), network=ToLoopback(site.port), accepts=refuse_unreadable))
        watched = Watched("searxng", Search((), pages).handlers())
        await given_up_at(watched, "fetch_page", {"url": "http://example.org/slow"}, "fetch_page has run for 0 s: fetching the page.")
        over.set()


async def test_a_file_that_takes_long_to_read_is_given_up_with_the_process_that_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_servers.searxng.pages.text_of_file", partial(text_of_file, bounds=Bounds(time_s=LONG_S)))
    monkeypatch.setattr(confinement, "_PROGRAM", f"import sys, time; sys.stdin.buffer.read(); time.sleep({LONG_S})")
    with fake.web(report=fake.page("%PDF-1.7", kind="application/pdf")) as site, processes_noted(monkeypatch):
        pages = Pages(Fetcher(Resolver(), network=ToLoopback(site.port), accepts=refuse_unreadable))
        watched = Watched("searxng", Search((), pages).handlers())
        await given_up_at(watched, "fetch_page", {"url": "http://example.org/report"}, "reading 0 KiB")


async def test_a_search_says_which_instance_it_waits_for() -> None:
    never = threading.Event()
    with fake_searxng(status=500) as broken, fake_searxng(silent=never) as slow:
        watched = Watched("searxng", Search((broken.url, slow.url)).handlers())
        await given_up_at(watched, "web_search", {"query": "x"}, "asking 127.0.0.1, 2 of 2")


async def test_a_command_that_is_given_up_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = Running(Workspace([tmp_path]), Allowed(commands=("sh",)), lambda: "abc", {"PATH": os.environ["PATH"]})
    watched = Watched("workspace", threaded(running.handlers()))
    with processes_noted(monkeypatch):
        await given_up_at(watched, "run_command", {"command": ["sh", "-c", "head -c 5000 /dev/zero; sleep 600"]}, "4 KiB of output")


@pytest.mark.parametrize("way", ["ripgrep", "regex", "files"])
async def test_a_search_through_files_is_given_up_with_what_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    root = tmp_path / "project"
    root.mkdir()
    for number in range(3):
        (root / f"{number}.txt").write_text("a" * 60 + "b\n")
    rg = tmp_path / "rg"
    rg.write_text(f"#!/bin/sh\nexec sleep {LONG_S:.0f}\n")
    rg.chmod(0o700)
    for module, bound in ((ripgrep, "BOUND_S"), (finding, "REGEX_BOUND_S"), (searching, "BOUND_S")):
        monkeypatch.setattr(module, bound, LONG_S)
    if way == "files":
        monkeypatch.setattr(searching, "decoded", slowly)
        monkeypatch.setattr(searching.Search, "_candidates", _again_and_again(searching.Search._candidates))  # pyright: ignore[reportPrivateUsage]
    reading = Reading(Workspace([root]), lambda: str(rg) if way == "ripgrep" else None, lambda: "abc")
    watched = Watched("workspace", threaded(reading.handlers()))
    arguments = {"pattern": "(a+)+$" if way == "regex" else "a", **({"regex": True} if way == "regex" else {})}
    if way == "files":
        await given_up_at(watched, "search_files", arguments, " files searched")
    else:
        with processes_noted(monkeypatch):
            await given_up_at(watched, "search_files", arguments, "ripgrep is searching" if way == "ripgrep" else " files searched")


def slowly(_: bytes) -> None:
    time.sleep(0.05)


def _again_and_again(candidates: Callable[..., Any]) -> Callable[..., Any]:
    def endless(*args: Any) -> Any:
        while True:
            yield from candidates(*args)

    return endless


async def test_free_time_over_several_accounts_says_who_has_answered_and_hangs_up_on_who_has_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_servers.calendars.backends.caldav.dav.ANSWER_TIMEOUT_S", LONG_S)
    with silent_server() as port:
        work = CalDavCalendars(Login("work", f"http://127.0.0.1:{port}/", "anna", lambda: SecretStr("secret")))
        calendars = Calendars(LocalCalendars(tmp_path / "calendars"), work)
        watched = Watched("calendars", threaded(calendars.handlers()))
        await given_up_at(watched, "find_free_time", {"when": "tomorrow"}, "1 of 2 accounts have answered")


async def test_a_search_in_a_mail_account_that_does_not_answer_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_servers.mailbox.imap.connection.ANSWER_TIMEOUT_S", LONG_S)

    def answers(line: bytes) -> bytes | None:
        tag, _, command = line.strip().partition(b" ")
        word = command.partition(b" ")[0].upper()
        said = {b"CAPABILITY": b"* CAPABILITY IMAP4rev1\r\n", b"LIST": b'* LIST () "/" INBOX\r\n', b"LOGIN": b"", b"LOGOUT": b"* BYE\r\n"}
        return said[word] + tag + b" OK done\r\n" if word in said else None

    with silent_server(answers, b"* OK ready\r\n") as port:
        account = ImapAccount(ImapServer("work", "127.0.0.1", port, "anna", SecretStr("secret"), "none"))
        store = MailStore(tmp_path / "mail", [account])
        watched = Watched("mail", threaded(MailTools(store).handlers()))
        await given_up_at(watched, "search_mail", {"query": "x"}, "search_mail has run for")
        store.close()
        account.close()


async def test_a_client_that_gave_no_token_hears_nothing() -> None:
    heard: list[object] = []

    def work(_: Call) -> Outcome:
        progress.say("something")
        time.sleep(0.3)
        return Outcome("done", {})

    async def hear(message: object) -> None:
        heard.append(message)

    server = build(ToolServer("slow", (ToolSpec("work", "Work.", "read", ()),), threaded({"work": work})))
    async with Client(server, mode="legacy", message_handler=hear) as client:
        assert text_of(await client.call_tool("work", {})) == "done"
    assert not any(isinstance(message, ProgressNotification) for message in heard)


def test_a_write_that_has_begun_is_carried_out_whole() -> None:
    work, done = progress.Work(), list[str]()

    def write() -> str:
        done.append("first")
        work.give_up()
        progress.check()
        progress.pause(0.0)
        done.append("second")
        return "written"

    with progress.under_way(work):
        assert progress.whole(write) == "written"
        with pytest.raises(progress.GivenUp):
            progress.check()
        with pytest.raises(progress.GivenUp):
            progress.pause(LONG_S)
    assert done == ["first", "second"]
    progress.check()  # outside of a call there is nobody to give it up


def test_what_comes_too_late_to_be_ended_is_ended_at_its_beginning() -> None:
    work, ended = progress.Work(), list[str]()
    with progress.under_way(work):
        work.give_up()
        with progress.ends(lambda: ended.append("x")):
            assert ended == ["x"]


def test_an_end_that_fails_keeps_no_other_from_being_called() -> None:
    work, ended = progress.Work(), list[str]()

    def fails() -> None:
        raise RuntimeError("Set changed size during iteration")

    with work.ended_by(fails), work.ended_by(lambda: ended.append("other")):
        work.give_up()
    assert ended == ["other"]
