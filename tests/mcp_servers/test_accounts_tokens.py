"""The token that a server shows to Google: held, renewed, refused and lost, and where what renews it lies."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import keyring
import pytest
from keyring.backends import null
from pydantic import SecretStr

from config.paths import Home
from config.shapes.google import GoogleSection
from mcp_servers.accounts import asking
from mcp_servers.accounts.asking import TokenAddress
from mcp_servers.accounts.bearer import bearers_of
from mcp_servers.accounts.failing import LoginNeeded, Unavailable
from mcp_servers.accounts.keeping import Keepers
from mcp_servers.accounts.model import SCOPES, Grant, Keeping
from mcp_servers.accounts.oauth import Client, Tokens
from mcp_servers.protocol import progress
from tests.fakes.google_oauth import fake_google_oauth
from tests.fakes.keyrings import LockedKeyring, MemoryKeyring
from tests.mcp_servers.accounts_desk import Desk, desk_of

CALENDAR = SCOPES["calendar"][0]


@pytest.fixture
def desk(home: Home) -> Iterator[Desk]:
    with fake_google_oauth() as google:
        yield desk_of(home, google)


@pytest.fixture
def memory() -> Iterator[MemoryKeyring]:
    kept = MemoryKeyring()
    before = keyring.get_keyring()
    keyring.set_keyring(kept)
    yield kept
    keyring.set_keyring(before)


def test_a_token_is_held_until_shortly_before_its_end(desk: Desk):
    desk.has_allowed("work", "calendar")
    bearers = desk.bearers()
    first = bearers.bearer("work", "calendar")
    assert desk.google.is_good(first.get_secret_value(), CALENDAR)
    assert bearers.bearer("work", "calendar") == first
    desk.google.clock_s += desk.google.life_s - 30
    second = bearers.bearer("work", "calendar")
    assert second != first
    assert desk.google.asked == ["/token", "/token"]


def test_a_token_that_was_not_taken_is_replaced_once_for_all_who_ask(desk: Desk):
    desk.has_allowed("work", "calendar")
    bearers = desk.bearers()
    bad = bearers.bearer("work", "calendar")
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(bearers.bearer, "work", "calendar", refused=bad) for _ in range(8)]
        tokens = {each.result() for each in asked}
    assert len(tokens) == 1
    assert bad not in tokens
    assert len(desk.google.asked) == 2


def test_a_token_is_kept_that_comes_when_the_call_that_waited_for_it_is_given_up(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    work, go_on = progress.Work(), threading.Event()
    refresh = asking.TokenAddress.refresh

    def slow(address: asking.TokenAddress, client: Client, token: SecretStr) -> Tokens:
        work.give_up()
        assert go_on.wait(60)
        return refresh(address, client, token)

    monkeypatch.setattr(asking.TokenAddress, "refresh", slow)
    desk.has_allowed("work", "calendar")
    bearers = desk.bearers()
    with progress.under_way(work), pytest.raises(progress.GivenUp):
        bearers.bearer("work", "calendar")
    assert desk.google.asked == []
    go_on.set()
    assert desk.google.is_good(bearers.bearer("work", "calendar").get_secret_value(), CALENDAR)
    assert desk.google.asked == ["/token"]


def test_each_kind_of_work_has_its_own_token(desk: Desk):
    desk.has_allowed("work", "calendar")
    desk.has_allowed("work", "mail")
    bearers = desk.bearers()
    token = bearers.bearer("work", "calendar-read").get_secret_value()
    assert desk.google.is_good(token, CALENDAR)
    assert not desk.google.is_good(token, SCOPES["mail"][0])
    assert bearers.accounts("calendar-read") == ("work",)
    assert bearers.accounts("send") == ()
    with pytest.raises(LoginNeeded, match="send mail.*variet login google --account work --scope send"):
        bearers.bearer("work", "send")
    assert len(desk.google.asked) == 1


def test_reading_does_not_serve_writing(desk: Desk):
    desk.has_allowed("work", "calendar-read")
    with pytest.raises(LoginNeeded, match="read and change calendars.*--scope calendar`"):
        desk.bearers().bearer("work", "calendar")


@pytest.mark.parametrize("kept", ["plain-file", "encrypted-file", "keyring"])
def test_a_refresh_token_that_google_replaces_is_kept_in_its_place(desk: Desk, memory: MemoryKeyring, kept: Keeping):
    grant = desk.has_allowed("work", "mail", kept)
    desk.google.rotates = True
    desk.bearers().bearer("work", "mail")
    token = desk.keepers.token(grant)
    assert token is not None
    assert list(desk.google.refresh_tokens) == [token.get_secret_value()]
    desk.bearers().bearer("work", "mail")
    assert len(memory.kept) == (kept == "keyring")


def test_a_process_that_was_not_the_first_takes_the_token_that_the_other_one_got(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """Two servers of one account renew at once: the second one's token is spent, and the first one's is in its place."""
    desk.has_allowed("work", "mail")
    desk.google.rotates = True
    first, second = desk.bearers(), desk.bearers()
    refresh = TokenAddress.refresh

    def slowly(self: TokenAddress, client: Client, token: SecretStr) -> Tokens:
        monkeypatch.setattr(TokenAddress, "refresh", refresh)
        first.bearer("work", "mail")
        return refresh(self, client, token)

    monkeypatch.setattr(TokenAddress, "refresh", slowly)
    assert desk.google.is_good(second.bearer("work", "mail").get_secret_value(), SCOPES["mail"][0])
    assert len(desk.google.asked) == 3
    desk.google.refresh_tokens.clear()
    with pytest.raises(LoginNeeded, match="no longer takes its login"):
        desk.bearers().bearer("work", "mail")
    assert len(desk.google.asked) == 4


def test_a_login_that_google_has_ended_names_the_command(desk: Desk):
    desk.has_allowed("work", "calendar")
    desk.google.refresh_tokens.clear()
    with pytest.raises(
        LoginNeeded, match=r"account work: Google no longer takes its login.*Run `variet login google --account work --scope calendar`\."
    ):
        desk.bearers().bearer("work", "calendar")
    assert len(desk.google.asked) == 1


@pytest.mark.parametrize("trouble", [500, 502, 503, 429, 408, 0, -1])
def test_what_passes_is_asked_again_and_then_given_up(desk: Desk, trouble: int):
    desk.has_allowed("work", "calendar")
    desk.google.statuses = [trouble, trouble]
    pauses: list[float] = []
    desk.bearers(pauses).bearer("work", "calendar")
    assert pauses == list(asking.PAUSES_S)
    desk.google.statuses = [trouble] * 9
    with pytest.raises(Unavailable, match="account work: 127.0.0.1"):
        desk.bearers().bearer("work", "calendar")
    assert len(desk.google.asked) == 6


def test_a_google_that_says_nothing_is_not_waited_for_long(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    desk.has_allowed("work", "calendar")
    monkeypatch.setattr(asking, "ANSWER_TIMEOUT_S", 0.05)
    desk.google.silent = threading.Event()
    with pytest.raises(Unavailable, match="did not answer"):
        desk.bearers().bearer("work", "calendar")


@pytest.mark.parametrize(
    ("word", "said"), [("invalid_client", "does not take this client"), ("invalid_scope", "refused this .invalid_scope")]
)
def test_a_wrong_client_is_not_asked_for_twice(desk: Desk, word: str, said: str):
    desk.has_allowed("work", "calendar")
    desk.google.errors = [word]
    with pytest.raises(LoginNeeded, match=said):
        desk.bearers().bearer("work", "calendar")
    assert len(desk.google.asked) == 1


def test_without_a_client_the_sentence_says_where_it_belongs(home: Home):
    with fake_google_oauth() as google:
        desk = desk_of(home, google)
        desk.has_allowed("work", "calendar")
        with pytest.raises(LoginNeeded, match="client_id"):
            bearers_of(GoogleSection(), home).bearer("work", "calendar")
        assert google.asked == []


def test_a_login_made_meanwhile_is_known_without_a_restart(desk: Desk):
    bearers = desk.bearers()
    with pytest.raises(LoginNeeded):
        bearers.bearer("work", "calendar")
    desk.has_allowed("work", "calendar")
    assert bearers.bearer("work", "calendar")


def test_a_lost_token_and_a_broken_list_say_what_to_do(desk: Desk):
    grant = desk.has_allowed("work", "calendar")
    desk.keepers.of("plain-file").forget(grant.key)
    with pytest.raises(LoginNeeded, match="no longer in the plain-file.*variet login"):
        desk.bearers().bearer("work", "calendar")
    (desk.home.config_dir / "accounts.json").write_text("{", encoding="utf-8")
    with pytest.raises(LoginNeeded, match="accounts.json cannot be read"):
        desk.bearers().accounts("calendar")


@pytest.mark.skipif(sys.platform == "win32", reason="mode bits mean nothing there")
def test_a_plain_token_that_others_can_read_is_not_used(desk: Desk):
    desk.has_allowed("work", "calendar")
    file = desk.home.config_dir / "secrets" / "token_google_work_calendar"
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o644)
    with pytest.raises(LoginNeeded, match="can be read by others"):
        desk.bearers().bearer("work", "calendar")


def test_an_encrypted_token_opens_with_its_passphrase_and_under_its_name_alone(desk: Desk):
    grant = desk.has_allowed("work", "calendar", "encrypted-file")
    secrets = desk.home.config_dir / "secrets"
    file = secrets / "sealed_google_work_calendar"
    assert "canary" not in file.read_text(encoding="utf-8")
    for passphrase, said in ((SecretStr("another"), "does not open"), (None, "set VARIET_TOKENS_PASSPHRASE")):
        with pytest.raises(LoginNeeded, match=said):
            Keepers(desk.home, lambda found=passphrase: found).token(grant)
    file.rename(secrets / "sealed_google_work_mail")
    with pytest.raises(LoginNeeded, match="does not open"):
        desk.keepers.token(Grant(account="work", scopes="mail", kept="encrypted-file"))


def test_a_locked_keyring_is_said_without_what_it_held(desk: Desk, memory: MemoryKeyring):
    desk.has_allowed("work", "calendar", "keyring")
    locked = LockedKeyring()
    locked.kept = memory.kept
    keyring.set_keyring(locked)
    with pytest.raises(LoginNeeded, match="account work: The keyring cannot be used .KeyringLocked.") as caught:
        desk.bearers().bearer("work", "calendar")
    assert "canary" not in repr(caught.value)


def test_no_test_has_a_real_keyring(desk: Desk):
    assert isinstance(keyring.get_keyring(), null.Keyring)
    assert not desk.keepers.keyring.is_there()
    with pytest.raises(LoginNeeded, match="no keyring"):
        desk.keepers.keyring.keep("google-work-calendar", SecretStr("canary"))


def test_no_test_reaches_the_real_google(desk: Desk):
    desk.has_allowed("work", "calendar")
    real = GoogleSection(client_id="1234-abc.apps.googleusercontent.com")
    with pytest.raises(AssertionError, match=r"looked up 'oauth2\.googleapis\.com'"):
        bearers_of(real, desk.home).bearer("work", "calendar")
