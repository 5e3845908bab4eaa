"""The HTTP client that Google's library asks through: bounded in time and size, and to one house only.

The token goes to the configured address and nowhere else: the library would send a batch or an upload to the real Google
whatever address it was given, and here that is a fault. A redirect is not followed. Nothing that is asked or answered is logged.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx2
from pydantic import SecretStr

from mcp_servers.abandoning import Trace, Wait
from mcp_servers.accounts.google_faults import Unanswered
from mcp_servers.accounts.model import ScopeSet
from mcp_servers.errors import Refusal
from mcp_servers.protocol import progress
from mcp_servers.protocol.hanging_up import Lines

CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 20.0
TOTAL_TIMEOUT_S = 40.0
"""For one whole answer, also of a server that sends it drop by drop."""
MAX_ANSWER_BYTES = 64 * 1024 * 1024
"""The largest mail that Google takes, as it writes it."""


class Tokens(Protocol):
    """Who gives the token of an account; its `Refusal`s may be shown."""

    def bearer(self, account: str, scopes: ScopeSet, *, refused: SecretStr | None = None) -> SecretStr: ...


class GoogleHttp:
    """What the library takes for its `httplib2.Http`. Not for use by two threads at once.

    Args:
        account: whose token is shown.
        who: the service, as a sentence begins with it.
        tokens: who gives the token.
        address: the only origin that is ever asked.
        answer: makes the library's own kind of response of a status, headers and a reason.
        timeouts_s: to connect, and between two bytes.
    """

    def __init__(
        self,
        account: str,
        who: str,
        tokens: Tokens,
        address: str,
        answer: Callable[[Mapping[str, str]], Any],
        timeouts_s: tuple[float, float] | None = None,
    ) -> None:
        self._account = account
        self._who = who
        self._tokens = tokens
        self._origin = urlsplit(address)[:2]
        self._answer = answer
        connect, between = timeouts_s or (CONNECT_TIMEOUT_S, ANSWER_TIMEOUT_S)
        self._client = httpx2.Client(timeout=httpx2.Timeout(between, connect=connect), trust_env=False, follow_redirects=False)
        self._lines = Lines()
        self.scopes: ScopeSet | None = None
        """What the next request needs to be allowed."""

    def close(self) -> None:
        self._client.close()

    def request(
        self, uri: str, method: str = "GET", body: str | bytes | None = None, headers: Mapping[str, str] | None = None, **_: Any
    ) -> tuple[Any, bytes]:
        """One request, as the library makes it.

        Raises:
            Unanswered: whether it had an effect is not known.
            Refusal: it was not made.
        """
        if urlsplit(uri)[:2] != self._origin or self.scopes is None:
            raise Refusal(f"{self._who} would have been asked at another address. Set its url in agent.toml right. Nothing was done.")
        content = body.encode() if isinstance(body, str) else body or b""
        given = {name: str(value) for name, value in (headers or {}).items() if name.lower() not in {"content-length", "accept-encoding"}}
        token = self._tokens.bearer(self._account, self.scopes)
        status, answered, read = self._once(method, uri, content, given, token)
        if status == 401:  # refused before anything was done
            token = self._tokens.bearer(self._account, self.scopes, refused=token)
            status, answered, read = self._once(method, uri, content, given, token)
        return self._answer({**answered, "status": str(status)}), read

    def _once(self, method: str, uri: str, content: bytes, headers: dict[str, str], token: SecretStr) -> tuple[int, dict[str, str], bytes]:
        progress.check()
        wait = Wait(self._lines.hang_up)
        trace = wait.unless_left(self._lines.trace)
        answered = wait.of(lambda: self._answered(method, uri, content, headers, token, trace))
        progress.check()
        return answered

    def _answered(
        self, method: str, uri: str, content: bytes, headers: dict[str, str], token: SecretStr, trace: Trace
    ) -> tuple[int, dict[str, str], bytes]:
        give_up_at = time.monotonic() + TOTAL_TIMEOUT_S
        shown = {**headers, "Authorization": f"Bearer {token.get_secret_value()}"}
        try:
            with self._client.stream(method, uri, content=content, headers=shown, extensions={"trace": trace}) as response:
                parts: list[bytes] = []
                size = 0
                for part in response.iter_bytes():
                    parts.append(part)
                    size += len(part)
                    if size > MAX_ANSWER_BYTES:
                        raise Unanswered(f"The answer of {self._who} is too large to be read. Ask for less.")
                    if time.monotonic() > give_up_at:
                        raise Unanswered(f"{self._who} did not answer in time. Try again later.")
                return response.status_code, {name.lower(): value for name, value in response.headers.items()}, b"".join(parts)
        except (httpx2.ConnectTimeout, httpx2.ConnectError) as error:
            raise Refusal(f"{self._who} cannot be reached. Check the network.") from error
        except httpx2.TimeoutException as error:
            raise Unanswered(f"{self._who} did not answer in time. Try again later.") from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise Unanswered(f"{self._who} broke off. Try again.") from error
