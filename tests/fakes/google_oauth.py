"""Google's side of a login, for tests: it checks every request as the real one does, and fails as told.

It is strict where a mistake would be a hole: the redirect is one of this machine, PKCE is S256 and is recomputed, a code is good once and
for the redirect that it was asked with, a form has each field once, tokens end, and a grant that was revoked takes all its tokens with it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

CLIENT_ID = "1234-abc.apps.googleusercontent.com"
CLIENT_SECRET = "GOCSPX-canary-client-secret"


@dataclass
class _Code:
    scope: str
    redirect: str
    challenge: str


@dataclass
class FakeGoogleOAuth:
    """What it knows, what it was asked, and how it fails."""

    url: str = ""
    clock_s: float = 1000.0
    """Its own time; access tokens end by it."""
    life_s: int = 3600
    allows: tuple[str, ...] | None = None
    """The boxes that stay ticked; None for all that were asked for."""
    rotates: bool = False
    """Whether a refresh gives out a new refresh token, and ends the old one."""
    statuses: list[int] = field(default_factory=list[int])
    """Answered in turn before anything else is looked at; 0 hangs up without an answer, and -1 does so after the effect."""
    errors: list[str] = field(default_factory=list[str])
    """Words of the protocol that are answered with 400 in turn."""
    silent: threading.Event | None = None
    """When given, an answer waits until it is set."""
    codes: dict[str, _Code] = field(default_factory=dict[str, _Code])
    refresh_tokens: dict[str, str] = field(default_factory=dict[str, str])
    """Token -> scope."""
    access_tokens: dict[str, tuple[str, float]] = field(default_factory=dict[str, tuple[str, float]])
    """Token -> scope and end."""
    given_out: list[str] = field(default_factory=list[str])
    """Every secret that ever left here, for a test to look for."""
    asked: list[str] = field(default_factory=list[str])
    """The path of each request to a token address."""

    def settings(self) -> dict[str, str]:
        """`[google]` that leads here."""
        return {
            "client_id": CLIENT_ID,
            "authorization_url": f"{self.url}/authorize",
            "token_url": f"{self.url}/token",
            "revocation_url": f"{self.url}/revoke",
            "calendar_url": f"{self.url}/calendar/v3/",
            "gmail_url": f"{self.url}/",
        }

    def consent(self, url: str, *, says: str = "") -> int:
        """What a browser and a person do with the address: say yes (or the word `says`), and go back where it leads. The status there."""
        back = urlsplit(self.answer_to(url, says=says))
        # Without the library that the program uses, whose log would hold what a browser knows.
        browser = HTTPConnection(back.netloc, timeout=30)
        try:
            browser.request("GET", f"{back.path}?{back.query}")
            return browser.getresponse().status
        finally:
            browser.close()

    def answer_to(self, url: str, *, says: str = "") -> str:
        """The address that the browser is sent back to."""
        parts = urlsplit(url)
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{self.url}/authorize"
        query = _single(parts.query)
        assert query["client_id"] == CLIENT_ID
        assert (query["response_type"], query["code_challenge_method"]) == ("code", "S256")
        assert (query["access_type"], query["prompt"]) == ("offline", "consent")
        assert "include_granted_scopes" not in query
        assert len(query["state"]) >= 32
        assert len(query["code_challenge"]) == 43
        redirect = urlsplit(query["redirect_uri"])
        assert (redirect.scheme, redirect.hostname) == ("http", "127.0.0.1")
        if says:
            return f"{query['redirect_uri']}?{urlencode({'error': says, 'state': query['state']})}"
        scope = query["scope"] if self.allows is None else " ".join(name for name in query["scope"].split() if name in self.allows)
        code = self._new("4/canary-code")
        self.codes[code] = _Code(scope, query["redirect_uri"], query["code_challenge"])
        return f"{query['redirect_uri']}?{urlencode({'state': query['state'], 'code': code, 'scope': scope})}"

    def grants(self, scope: str) -> str:
        """A refresh token, as if a login had been."""
        token = self._new("1//canary-refresh")
        self.refresh_tokens[token] = scope
        return token

    def is_good(self, access_token: str, scope: str) -> bool:
        """Whether Google's other servers take a token for something."""
        allowed, ends = self.access_tokens.get(access_token, ("", 0.0))
        return scope in allowed.split() and self.clock_s < ends

    def token(self, form: dict[str, str]) -> tuple[int, dict[str, object]]:
        """What `/token` answers."""
        if form.get("client_id") != CLIENT_ID or form.get("client_secret") != CLIENT_SECRET:
            return 401, {"error": "invalid_client", "error_description": f"not {form.get('client_secret')}"}
        match form.get("grant_type"):
            case "authorization_code":
                return self._redeem(form)
            case "refresh_token":
                return self._refresh(form)
            case _:
                return 400, {"error": "unsupported_grant_type"}

    def revoke(self, form: dict[str, str]) -> tuple[int, dict[str, object]]:
        """What `/revoke` answers. All that the person had allowed this client ends."""
        if form.get("token") not in self.refresh_tokens and form.get("token") not in self.access_tokens:
            return 400, {"error": "invalid_token"}
        self.refresh_tokens.clear()
        self.access_tokens.clear()
        return 200, {}

    def _redeem(self, form: dict[str, str]) -> tuple[int, dict[str, object]]:
        code = self.codes.pop(form.get("code", ""), None)
        if code is None or code.redirect != form.get("redirect_uri") or code.challenge != _s256(form.get("code_verifier", "")):
            return 400, {"error": "invalid_grant", "error_description": f"bad code {form.get('code')}"}
        return 200, {**self._access(code.scope), "refresh_token": self.grants(code.scope)}

    def _refresh(self, form: dict[str, str]) -> tuple[int, dict[str, object]]:
        token = form.get("refresh_token", "")
        scope = self.refresh_tokens.get(token)
        if scope is None:
            return 400, {"error": "invalid_grant", "error_description": f"Token {token} has been expired or revoked."}
        if not self.rotates:
            return 200, self._access(scope)
        del self.refresh_tokens[token]
        return 200, {**self._access(scope), "refresh_token": self.grants(scope)}

    def _access(self, scope: str) -> dict[str, object]:
        token = self._new("ya29.canary-access")
        self.access_tokens[token] = (scope, self.clock_s + self.life_s)
        return {"access_token": token, "expires_in": self.life_s, "scope": scope, "token_type": "Bearer"}

    def _new(self, prefix: str) -> str:
        token = f"{prefix}-{secrets.token_hex(12)}"
        self.given_out.append(token)
        return token


@contextmanager
def fake_google_oauth() -> Generator[FakeGoogleOAuth]:
    """Running on a free loopback port."""
    fake = FakeGoogleOAuth()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(fake))
    server.daemon_threads = True
    server.block_on_close = False
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        if fake.silent is not None:
            fake.silent.set()
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)


def _handler_of(fake: FakeGoogleOAuth) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            fake.asked.append(self.path)
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            if fake.silent is not None:
                fake.silent.wait(30)
            status = fake.statuses.pop(0) if fake.statuses else 200
            if status == 0:
                return
            answered = self._answered(body) if status in (200, -1) else (status, {"error": "internal_failure", "echo": body})
            if status != -1:
                self._say(*answered)

        def _answered(self, body: str) -> tuple[int, dict[str, object]]:
            if self.headers["content-type"] != "application/x-www-form-urlencoded":
                return 400, {"error": "invalid_request"}
            if fake.errors:
                return 400, {"error": fake.errors.pop(0), "echo": body}
            form = _single(body)
            route = {"/token": fake.token, "/revoke": fake.revoke}.get(self.path)
            return route(form) if route else (404, {"error": "not_found"})

        def _say(self, status: int, answer: Mapping[str, object]) -> None:
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the test's output is not the place."""

    return Handler


def _single(text: str) -> dict[str, str]:
    found = parse_qs(text, keep_blank_values=True, strict_parsing=True)
    assert all(len(values) == 1 for values in found.values()), "a field came twice"
    return {name: values[0] for name, values in found.items()}


def _s256(verifier: str) -> str:
    assert not verifier or 43 <= len(verifier) <= 128
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
