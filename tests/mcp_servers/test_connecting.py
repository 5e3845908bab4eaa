"""A call whose client has given it up ends at once, also where a server that takes no connection, or does not greet, is waited for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from mcp_servers.abandoning import Abandoned, Wait
from mcp_servers.accounts.google_api import GoogleApi
from mcp_servers.accounts.model import ScopeSet
from mcp_servers.calendars.backends.caldav.account import CalDavCalendars
from mcp_servers.calendars.backends.caldav.dav import Login
from mcp_servers.calendars.backends.google.account import GoogleCalendars
from mcp_servers.calendars.backends.google.service import CalendarApi
from mcp_servers.calendars.server import Calendars
from mcp_servers.mail.server import MailTools
from mcp_servers.mailbox.accounts import MailAccount
from mcp_servers.mailbox.gmail.account import GMAIL, GmailAccount
from mcp_servers.mailbox.imap.account import ImapAccount
from mcp_servers.mailbox.imap.connection import ImapServer
from mcp_servers.mailbox.store import MailStore
from mcp_servers.outbox.carriers import ByAddress, Carrier, LocalCarrier
from mcp_servers.outbox.delivery import Delivery
from mcp_servers.outbox.server import Outbox
from mcp_servers.outbox.smtp import SmtpCarrier, SmtpServer
from mcp_servers.protocol import progress
from mcp_servers.protocol.serving import threaded
from tests.mcp_servers.giving_up import Watched, deaf_server, given_up_at, silent_server
from tests.mcp_servers.granting import KEY, sealed_call
from tests.mcp_servers.test_serving import BOUND_S

LONG_S = 600.0
"""What a connect takes that nobody leaves."""
PATIENT = (LONG_S, LONG_S)
FROM = "you@work.example"
Server = Callable[[], AbstractContextManager[int]]


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    monkeypatch.setattr("mcp_servers.protocol.serving.BEAT_S", 0.05)
    for module in ("mailbox.imap.connection.ANSWER", "outbox.smtp.ANSWER", "calendars.backends.caldav.dav.CONNECT"):
        monkeypatch.setattr(f"mcp_servers.{module}_TIMEOUT_S", LONG_S)


class Token:
    """What an account has of its own."""

    def bearer(self, account: str, scopes: ScopeSet, *, refused: SecretStr | None = None) -> SecretStr:
        return SecretStr(f"{account} {scopes} {refused}")


def imap(port: int) -> ImapAccount:
    return ImapAccount(ImapServer("work", "127.0.0.1", port, "anna", SecretStr("secret"), "none"))


def gmail(port: int) -> GmailAccount:
    return GmailAccount(GoogleApi(GMAIL, "work", Token(), f"http://127.0.0.1:{port}/", timeouts_s=PATIENT))


@pytest.mark.parametrize(("account", "server"), [(imap, deaf_server), (imap, silent_server), (gmail, deaf_server)])
async def test_a_search_of_a_mail_account_that_cannot_be_reached(
    tmp_path: Path, account: Callable[[int], MailAccount], server: Server
) -> None:
    with server() as port:
        store = MailStore(tmp_path / "mail", [account(port)])
        await given_up_at(Watched("mail", threaded(MailTools(store).handlers())), "search_mail", {"query": "x"}, "search_mail has run for")
        store.close()


@pytest.mark.parametrize("kind", ["caldav", "google"])
async def test_a_list_of_a_calendar_account_that_cannot_be_reached(kind: str) -> None:
    with deaf_server() as port:
        url = f"http://127.0.0.1:{port}/calendar/v3/"
        google = GoogleCalendars(CalendarApi("work", Token(), url, timeouts_s=PATIENT))
        backend = google if kind == "google" else CalDavCalendars(Login("work", url, "anna", lambda: SecretStr("secret")))
        watched = Watched("calendars", threaded(Calendars(backend).handlers()))
        await given_up_at(watched, "list_events", {"when": "tomorrow"}, "list_events has run for")


@contextmanager
def outbox_over(way: Callable[[MailStore], Carrier], folder: Path) -> Generator[Outbox]:
    store = MailStore(folder, addresses={"work": FROM})
    delivery = Delivery(folder, ByAddress({FROM: way(store)}))
    yield Outbox(store, delivery, key=KEY)
    delivery.close()
    store.close()


@pytest.mark.parametrize("server", [deaf_server, silent_server])
async def test_a_mail_whose_server_cannot_be_reached_is_given_up_and_nothing_left_and_it_may_be_sent_later(
    tmp_path: Path, server: Server
) -> None:
    arguments = {"to": "bruno@example.org", "body": "Yes.", "subject": "Dinner"}
    with server() as port:
        smtp = SmtpServer("work", "127.0.0.1", port, "", None, "none")
        with outbox_over(lambda store: SmtpCarrier(smtp, store.sent), tmp_path / "mail") as outbox:
            sealed = sealed_call("send_mail", arguments, {"uid": "one"})
            watched = Watched("outbox", threaded({"send_mail": lambda _: outbox.send_mail(sealed)}))
            await given_up_at(watched, "send_mail", arguments, "send_mail has run for")
    with outbox_over(lambda store: LocalCarrier(store.sent), tmp_path / "mail") as outbox:
        for _ in range(2):
            assert outbox.send_mail(sealed_call("send_mail", arguments, {"uid": "one"})).execute().text.startswith("Sent to bruno@")
    assert len(list((tmp_path / "mail" / "Sent" / "cur").iterdir())) == 1


def test_what_comes_of_work_that_was_left_is_undone_and_its_failure_reaches_nobody() -> None:
    work, go_on, undone = progress.Work(), threading.Event(), threading.Event()

    def connects() -> str:
        work.give_up()
        assert go_on.wait(BOUND_S)
        return "connection"

    with progress.under_way(work):
        with pytest.raises(progress.GivenUp):
            Wait().of(connects, lambda made: undone.set() if made == "connection" else None)
        assert not undone.is_set()
        go_on.set()
        assert undone.wait(BOUND_S)
    with pytest.raises(ConnectionRefusedError):
        Wait().of(lambda: _raise(ConnectionRefusedError("nobody")))


@pytest.mark.parametrize("event", ["connect_tcp.complete", "start_tls.complete"])
def test_no_request_is_sent_over_a_connection_that_comes_when_nobody_waits(event: str) -> None:
    class Line:
        is_closed = False

        def close(self) -> None:
            self.is_closed = True

    work, line, heard = progress.Work(), Line(), list[str]()
    wait = Wait()
    trace = wait.unless_left(lambda event, _: heard.append(event))
    trace(f"connection.{event}", {"return_value": line})
    assert not line.is_closed
    with progress.under_way(work), pytest.raises(progress.GivenUp):
        wait.of(lambda: (work.give_up(), threading.Event().wait(0.5)))
    with pytest.raises(Abandoned):
        trace(f"connection.{event}", {"return_value": line})
    assert (line.is_closed, len(heard)) == (True, 2)


def test_a_connection_that_comes_in_the_moment_of_leaving_ends_the_call_as_any_other() -> None:
    """The end of the thread that is left must not reach the server, which would end with it."""
    work, is_over = progress.Work(), threading.Event()
    wait = Wait(lambda: is_over.wait(BOUND_S))

    def connects() -> None:
        threading.Thread(target=work.give_up, daemon=True).start()
        assert work.given_up.wait(BOUND_S)
        try:
            raise Abandoned
        finally:
            threading.Timer(0.2, is_over.set).start()

    with progress.under_way(work), pytest.raises(progress.GivenUp):
        wait.of(connects)


def test_giving_up_again_and_again_leaves_no_more_threads_than_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_servers.abandoning._ROOM", threading.BoundedSemaphore(1))
    first, second, left = threading.Event(), threading.Event(), list[str]()

    def call(name: str, go_on: threading.Event) -> threading.Thread:
        def run() -> None:
            work = progress.Work()
            with progress.under_way(work), pytest.raises(progress.GivenUp):
                Wait().of(lambda: (work.give_up(), go_on.wait(BOUND_S)))
                progress.check()
            left.append(name)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    call("first", first).join(BOUND_S)
    waits = call("second", second)
    waits.join(0.2)
    assert (left, waits.is_alive()) == (["first"], True)
    second.set()
    waits.join(BOUND_S)
    first.set()
    assert left == ["first", "second"]


def _raise(error: Exception) -> None:
    raise error
