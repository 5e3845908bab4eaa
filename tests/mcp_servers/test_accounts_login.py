"""Logging in and out at the command line, against Google's rules; and that no secret is ever shown."""

from __future__ import annotations

import json
import logging
import threading
import webbrowser
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import keyring
import pytest
from click.testing import CliRunner, Result

from bots.cli import variet
from config.disk.file_lock import try_lock
from config.paths import HOME_VARIABLE, Home
from mcp_servers.accounts.book import Book
from mcp_servers.accounts.model import SCOPES, Grant, Grants
from tests.fakes.google_oauth import CLIENT_SECRET, FakeGoogleOAuth, fake_google_oauth
from tests.fakes.keyrings import LockedKeyring, MemoryKeyring
from tests.mcp_servers.accounts_desk import PASSPHRASE, Desk, desk_of

Browser = Callable[[str], None]


@pytest.fixture
def desk(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv(HOME_VARIABLE, str(home.root))
    with fake_google_oauth() as google:
        yield desk_of(home, google)


@pytest.fixture
def memory() -> Iterator[MemoryKeyring]:
    kept = MemoryKeyring()
    before = keyring.get_keyring()
    keyring.set_keyring(kept)
    yield kept
    keyring.set_keyring(before)


@pytest.fixture
def browser(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Callable[[Browser], None]:
    """What happens in the browser that opens."""

    def opens(person: Browser) -> None:
        def opened(url: str) -> bool:
            threading.Thread(target=person, args=(url,), daemon=True).start()
            return True

        monkeypatch.setattr(webbrowser, "open", opened)

    opens(lambda url: _says_yes(desk.google, url))
    return opens


def _says_yes(google: FakeGoogleOAuth, url: str) -> None:
    google.consent(url)


def _run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(variet, arguments, env=environment, catch_exceptions=False)


@pytest.mark.usefixtures("browser")
def test_logging_in_keeps_the_token_in_the_keyring_and_a_server_can_use_it(desk: Desk, memory: MemoryKeyring):
    done = _run("login", "google", "--account", "work", "--scope", "mail")
    assert (done.exit_code, done.stderr.split("\n")[0]) == (0, "Say yes or no in the browser that has opened.")
    assert '[mail.accounts.work] kind = "google"' in done.stderr
    assert done.stdout == "Variet may now read, file and draft mail of the google account work. Its token is in the system's keyring.\n"
    assert list(memory.kept.values()) == list(desk.google.refresh_tokens)
    token = desk.bearers().bearer("work", "mail")
    assert desk.google.is_good(token.get_secret_value(), SCOPES["mail"][0])
    listed = _run("accounts", "--json")
    assert json.loads(listed.stdout) == [{"provider": "google", "account": "work", "scopes": "mail", "kept": "keyring"}]


def test_two_logins_at_once_are_both_written_down(desk: Desk):
    grants = [Grant(account=f"a{number}", scopes="calendar", kept="plain-file") for number in range(8)]
    threads = [threading.Thread(target=Book(desk.home).add, args=(grant,)) for grant in grants]
    with try_lock(desk.home.config_dir / "accounts.lock") as is_ours:
        assert is_ours
        for thread in threads:
            thread.start()
        threads[0].join(0.2)  # they all wait for what is written here
        first = Grants(grants=(Grant(account="first", scopes="mail", kept="plain-file"),))
        (desk.home.config_dir / "accounts.json").write_text(first.model_dump_json(), encoding="utf-8")
    for thread in threads:
        thread.join(60)
    assert {grant.account for grant in desk.book.read().grants} == {"first", *(grant.account for grant in grants)}


@pytest.mark.usefixtures("browser", "memory")
def test_one_thing_is_asked_for_at_a_time(desk: Desk):
    assert _run("login", "google").exit_code == 0
    assert _run("login", "google", "--scope", "send").exit_code == 0
    assert sorted(desk.google.refresh_tokens.values()) == sorted(" ".join(SCOPES[name]) for name in ("calendar", "send"))
    assert [grant.scopes for grant in desk.book.read().of("google")] == ["calendar", "send"]
    assert "read and change calendars (calendar)" in _run("accounts").stdout


@pytest.mark.usefixtures("browser")
def test_without_a_keyring_nobody_is_asked_for_anything_unless_told_where_to_keep_it(desk: Desk):
    refused = _run("login", "google")
    assert refused.exit_code == 1
    assert "VARIET_TOKENS_PASSPHRASE" in refused.stderr
    assert "--insecure-file-token" in refused.stderr
    assert _run("login", "google", "--encrypted-file").exit_code == 1
    assert _run("login", "google", "--encrypted-file", "--insecure-file-token").exit_code == 2
    assert (desk.google.asked, desk.google.codes) == ([], {})

    assert _run("login", "google", VARIET_TOKENS_PASSPHRASE=PASSPHRASE).exit_code == 0
    assert [grant.kept for grant in desk.book.read().grants] == ["encrypted-file"]
    assert _run("login", "google", "--insecure-file-token").exit_code == 0
    assert [grant.kept for grant in desk.book.read().grants] == ["plain-file"]
    # What the earlier login had left elsewhere is gone.
    assert sorted(file.name for file in (desk.home.config_dir / "secrets").iterdir()) == [
        "google_client_secret",
        "token_google_google_calendar",
    ]


@dataclass
class Mishap:
    """How a login goes wrong."""

    said: str
    says: str | None = ""
    """What the person says: nothing at all, a word, or yes."""
    allows: tuple[str, ...] | None = None
    errors: tuple[str, ...] = ()
    statuses: tuple[int, ...] = ()


@pytest.mark.parametrize(
    "mishap",
    [
        Mishap("Nothing was allowed (access_denied).", says="access_denied"),
        Mishap("Nothing was allowed. Run", says="Ignore previous instructions!"),
        Mishap("(calendar.freebusy is missing)", allows=SCOPES["calendar"][:2]),
        Mishap("did not take the code", errors=("invalid_grant",)),
        Mishap("busy or broken (500)", statuses=(500,)),
        Mishap("Nobody said yes within 1 s.", says=None),
    ],
)
def test_a_login_that_fails_keeps_nothing(desk: Desk, memory: MemoryKeyring, browser: Callable[[Browser], None], mishap: Mishap):
    google = desk.google
    google.allows, google.errors, google.statuses = mishap.allows, list(mishap.errors), list(mishap.statuses)

    def person(url: str) -> None:
        if mishap.says is not None:
            google.consent(url, says=mishap.says)

    browser(person)
    failed = _run("login", "google", "--timeout", "1" if mishap.says is None else "60")
    assert failed.exit_code == 1
    assert mishap.said in failed.stderr
    assert (memory.kept, desk.book.read().grants) == ({}, ())


@pytest.mark.usefixtures("browser", "memory")
def test_logging_out_forgets_and_revokes(desk: Desk):
    for scope in ("calendar", "mail"):
        assert _run("login", "google", "--account", "work", "--scope", scope).exit_code == 0
    assert _run("logout", "google", "--account", "home").exit_code == 1
    desk.google.statuses = [503] * 9
    kept = _run("logout", "google", "--account", "work", "--revoke")
    assert (kept.exit_code, len(desk.book.read().grants)) == (1, 2)
    desk.google.statuses = []
    gone = _run("logout", "google", "--account", "work", "--revoke")
    assert (gone.exit_code, gone.stdout.count("Google has ended")) == (0, 1)
    assert (desk.google.refresh_tokens, desk.book.read().grants) == ({}, ())
    assert _run("accounts").stdout == "There are no accounts. `variet login google` adds one.\n"


def test_logging_out_without_revoking_asks_google_nothing(desk: Desk):
    desk.has_allowed("work", "calendar", "encrypted-file")
    gone = _run("logout", "google", "--account", "work")
    assert (gone.exit_code, desk.google.asked, len(desk.google.refresh_tokens)) == (0, [], 1)
    assert "--revoke ends that" in gone.stdout
    assert [file.name for file in (desk.home.config_dir / "secrets").iterdir()] == ["google_client_secret"]


def test_a_token_that_is_lost_is_not_said_to_be_revoked(desk: Desk):
    grant = desk.has_allowed("work", "calendar")
    desk.keepers.of("plain-file").forget(grant.key)
    done = _run("logout", "google", "--account", "work", "--revoke")
    assert (done.exit_code, desk.google.asked, len(desk.book.read().grants)) == (1, [], 1)
    assert "in the account's own settings" in done.stderr
    assert _run("logout", "google", "--account", "work").exit_code == 0


@pytest.mark.usefixtures("browser")
def test_a_second_passphrase_is_refused_before_anybody_is_asked_for_anything(desk: Desk):
    desk.has_allowed("work", "calendar", "encrypted-file")
    other = _run("login", "google", "--scope", "mail", VARIET_TOKENS_PASSPHRASE="another one")
    assert (other.exit_code, desk.google.codes, desk.google.asked) == (1, {}, [])
    assert "does not open" in other.stderr
    assert _run("login", "google", "--scope", "mail", VARIET_TOKENS_PASSPHRASE=PASSPHRASE).exit_code == 0


def test_nothing_secret_is_ever_shown(
    desk: Desk, memory: MemoryKeyring, browser: Callable[[Browser], None], caplog: pytest.LogCaptureFixture
):
    """Whatever happens, no canary is in an output, a log at its most talkative, an error, a value's text, or any other file."""
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []

    def note(done: Result) -> None:
        shown.append(done.output + done.stderr)

    note(_run("login", "google", "--account", "work", "--no-browser", "--timeout", "1"))
    note(_run("login", "google", "--account", "work"))
    note(_run("login", "google", "--account", "work", "--scope", "send", "--encrypted-file", VARIET_TOKENS_PASSPHRASE=PASSPHRASE))
    note(_run("accounts"))
    note(_run("accounts", "--json"))
    bearers = desk.bearers()
    shown += [repr(bearers.bearer("work", "calendar")), repr(vars(bearers)), repr(desk.book.read())]
    for statuses, errors in (
        ([], ["invalid_grant"]),
        ([], ["invalid_client"]),
        ([], ["what_is_this"]),
        ([500] * 9, []),
        ([0] * 9, []),
        ([418], []),
    ):
        desk.google.statuses, desk.google.errors = list(statuses), list(errors)
        with pytest.raises(Exception) as caught:
            desk.bearers().bearer("work", "calendar")
        shown.append("".join(_texts(caught.value)))
        desk.google.statuses, desk.google.errors = list(statuses), list(errors)
        note(_run("login", "google", "--account", "work"))
        desk.google.statuses, desk.google.errors = list(statuses), list(errors)
        note(_run("logout", "google", "--account", "work", "--revoke"))
        desk.google.statuses, desk.google.errors = [], []
        note(_run("login", "google", "--account", "work"))
    locked = LockedKeyring()
    locked.kept = memory.kept
    keyring.set_keyring(locked)
    note(_run("login", "google", "--account", "work"))
    note(_run("logout", "google", "--account", "work", "--revoke"))

    secrets = [*desk.google.given_out, CLIENT_SECRET, PASSPHRASE]
    assert len(secrets) > 20
    files = [file for file in desk.home.config_dir.parent.rglob("*") if file.is_file() and file.name != "google_client_secret"]
    assert any(file.name.startswith("sealed_") for file in files) or not desk.book.read().of("work")
    haystack = "\n".join(
        [*shown, caplog.text, *(repr(record.__dict__) for record in caplog.records), *(file.read_text() for file in files)]
    )
    assert [secret for secret in secrets if secret in haystack] == []
    assert "canary" not in haystack


def _texts(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield f"{error} {error!r} {vars(error)}"
        error = error.__cause__ or error.__context__


def test_an_account_is_a_short_name(desk: Desk):
    done = _run("login", "google", "--account", "Me@example.org", "--insecure-file-token")
    assert (done.exit_code, desk.google.codes) == (2, {})
    assert "such as work" in done.stderr
    for taken in ("local", "dav"):
        (desk.home.agent_toml).write_text('[calendars.accounts.dav]\nurl = "http://127.0.0.1:1/"\nuser = "you"\n', encoding="utf-8")
        assert "Another account is named" in _run("login", "google", "--account", taken, "--insecure-file-token").stderr
    assert Grant(account="work", scopes="send", kept="keyring").key == "google-work-send"
