"""The address that a browser comes back to: for one login, for whoever knows its state, and worth nothing to others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from pydantic import SecretStr

from config.paths import Home
from mcp_servers.accounts.asking import TokenAddress
from mcp_servers.accounts.bearer import client_of
from mcp_servers.accounts.failing import LoginNeeded
from mcp_servers.accounts.login import Doors, log_in
from mcp_servers.accounts.loopback import listening
from mcp_servers.accounts.oauth import Denied, redirected
from tests.fakes.google_oauth import CLIENT_SECRET, fake_google_oauth
from tests.mcp_servers.accounts_desk import Desk, desk_of


@pytest.fixture
def desk(home: Home) -> Iterator[Desk]:
    with fake_google_oauth() as google:
        yield desk_of(home, google)


def test_an_answer_of_another_login_ends_nothing():
    """A page elsewhere knows neither the state nor, by a name of its own, this address."""
    state = SecretStr("the state of this login, long enough")
    with listening(state) as listener:
        assert urlsplit(listener.redirect).hostname == "127.0.0.1"
        right = f"{listener.redirect}?state={state.get_secret_value().replace(' ', '+')}&code=good"
        for url, host in (
            (f"{listener.redirect}?state=another&code=bad", None),
            (f"{listener.redirect}?code=bad", None),
            (right.replace("signed-in", "else"), None),
            (f"{right}&code=bad", None),
            (right, "evil.example"),
        ):
            answer = httpx2.get(url, headers={"host": host} if host else {}, trust_env=False, timeout=30)
            assert answer.status_code == 404
        assert listener.wait(0.01) is None
        answer = httpx2.get(right, trust_env=False, timeout=30)
        assert (answer.status_code, answer.headers["cache-control"], answer.headers["referrer-policy"]) == (200, "no-store", "no-referrer")
        came = listener.wait(30)
        assert isinstance(came, SecretStr)
        assert came.get_secret_value() == "good"
        assert httpx2.post(right, trust_env=False, timeout=30).status_code == 501
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(right, trust_env=False, timeout=5)


def test_a_code_is_good_for_the_one_who_asked_only(desk: Desk):
    """Whoever overhears the code lacks the verifier, and the fake that says so checks it."""
    asked: list[str] = []
    with pytest.raises(LoginNeeded, match="Nobody"):
        _log_in(desk, asked.append)
    back = parse_qs(urlsplit(desk.google.answer_to(asked[0])).query)
    form = {"client_id": desk.google.settings()["client_id"], "client_secret": CLIENT_SECRET, "grant_type": "authorization_code"}
    stolen = {
        **form,
        "code": back["code"][0],
        "redirect_uri": parse_qs(urlsplit(asked[0]).query)["redirect_uri"][0],
        "code_verifier": "x" * 43,
    }
    assert desk.google.token(stolen)[0] == 400


def _log_in(desk: Desk, show: Callable[[str], None]) -> None:
    section = desk.section
    doors = Doors(section.authorization_url, TokenAddress(section.token_url, section.revocation_url))
    log_in(client_of(section, desk.home), doors, "calendar", show, timeout_s=0.01)


@pytest.mark.parametrize("target", ["/signed-in?state=s", "/signed-in?state=s&error=<script>", "/signed-in?state=s&error=" + "a" * 99])
def test_a_no_is_passed_on_in_the_protocols_words_only(target: str):
    assert redirected(target, SecretStr("s")) == Denied("")
