"""Asks Google Calendar through Google's own library, whose description of the service comes with it: nothing is looked up.

The library repeats writes by itself when it is let, so it never is. What is repeated here is what certainly had no
effect: a refusal because too much was asked, and for questions also a failure; each a few times, further and further
apart. Several questions go as one batch.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast
from urllib.parse import urlsplit

from mcp_servers.calendars.backends import google_errors
from mcp_servers.calendars.backends.failing import Busy, Failed, Unanswered
from mcp_servers.calendars.backends.google_http import GoogleHttp, Tokens
from mcp_servers.errors import Refusal

Json = dict[str, Any]
Request = Any
"""One call of the library, not made yet."""
GOOGLE = "https://www.googleapis.com/calendar/v3/"
MAX_TRIES = 4
LONGEST_WAIT_S = 16.0
MAX_IN_BATCH = 50
"""More than Google takes at once for calendars."""
_NO_LIBRARY = "Google accounts need their library. Install it: pip install 'variet[google]'"


class GoogleApi:
    """One account's Google Calendar; connected when it is first asked. Not for use by two threads at once.

    Args:
        account: the person's name for it.
        tokens: who gives its tokens.
        url: where the service answers.
        wait: sleeps that many seconds.
        timeouts_s: to connect, and between two bytes; None for the usual.
    """

    def __init__(
        self,
        account: str,
        tokens: Tokens,
        url: str = GOOGLE,
        *,
        wait: Callable[[float], None] = time.sleep,
        timeouts_s: tuple[float, float] | None = None,
    ) -> None:
        self.account = account
        self._tokens = tokens
        self._url = url if url.endswith("/") else f"{url}/"
        self._wait = wait
        self._timeouts_s = timeouts_s
        self._service: Any = None
        self._library: Any = None
        self._http: GoogleHttp | None = None

    @property
    def events(self) -> Any:
        return self._connected().events()

    @property
    def calendar_list(self) -> Any:
        return self._connected().calendarList()

    @property
    def freebusy(self) -> Any:
        return self._connected().freebusy()

    def ask(self, request: Request) -> Json:
        """The answer to a question.

        Raises:
            Refusal: there is none; the sentence says why.
        """
        return self._repeated(lambda: self._once(request, is_write=False), (Busy, Failed))

    def ask_all(self, requests: Sequence[Request]) -> list[Json | Refusal]:
        """The answers to several questions, in their order; each may have failed by itself.

        Raises:
            Refusal: nothing was answered at all.
        """
        if len(requests) == 1:
            return [self._kept(lambda: self.ask(requests[0]))]
        answers: dict[int, Json | Refusal] = {}
        for start in range(0, len(requests), MAX_IN_BATCH):
            left = list(range(start, min(start + MAX_IN_BATCH, len(requests))))
            for number in range(MAX_TRIES):
                answers |= self._batch({each: requests[each] for each in left})
                left = [each for each in left if isinstance(answers[each], Busy | Failed)]
                if not left:
                    break
                if number + 1 < MAX_TRIES:
                    self._wait(_pause(number))
        return [answers[each] for each in range(len(requests))]

    def write(self, request: Request, etag: str = "") -> Json:
        """A change, made once.

        Args:
            request: the change.
            etag: of the version that it is based on; empty for something new.

        Raises:
            Unanswered: whether it was made is not known.
            Stale: it is another version by now.
            Refusal: it was not made.
        """
        if etag:
            request.headers["If-Match"] = etag
        return self._repeated(lambda: self._once(request, is_write=True), (Busy,))

    @staticmethod
    def _kept(question: Callable[[], Json]) -> Json | Refusal:
        try:
            return question()
        except Refusal as refusal:
            return refusal

    def _repeated(self, attempt: Callable[[], Json], worth: tuple[type[Refusal], ...]) -> Json:
        for number in range(MAX_TRIES - 1):
            try:
                return attempt()
            except worth:
                self._wait(_pause(number))
        return attempt()

    def _once(self, request: Request, *, is_write: bool) -> Json:
        http = self._client(is_write=is_write)
        try:
            answered: Any = request.execute(http=http, num_retries=0)
        except self._library.HttpError as error:
            raise self._fault(error) from error
        return self._checked(answered)

    def _batch(self, requests: Mapping[int, Request]) -> dict[int, Json | Refusal]:
        answers: dict[int, Json | Refusal] = {}

        def keep(name: str, answered: Any, error: Any) -> None:
            answers[int(name)] = self._kept(lambda: self._checked(answered)) if error is None else self._fault(error)

        parts = urlsplit(self._url)
        batch = self._library.BatchHttpRequest(callback=keep, batch_uri=f"{parts.scheme}://{parts.netloc}/batch/calendar/v3")
        for number, request in requests.items():
            batch.add(request, request_id=str(number))

        def send() -> Json:
            try:
                batch.execute(http=self._client(is_write=False))
            except self._library.HttpError as error:
                raise self._fault(error) from error
            except (self._library.BatchError, KeyError, IndexError, ValueError, TypeError, UnicodeError) as error:
                raise self._unreadable() from error
            return {}

        self._repeated(send, (Busy, Failed))
        return answers

    def _checked(self, answered: Any) -> Json:
        if isinstance(answered, str | bytes) and not answered:
            return {}  # what a deletion is answered with
        if not isinstance(answered, dict):
            raise self._unreadable()
        return cast("Json", answered)

    def _unreadable(self) -> Unanswered:
        return Unanswered(f'Google Calendar of "{self.account}" gave an answer that cannot be read. Try again later.')

    def _fault(self, error: Any) -> Refusal:
        headers = {str(name).lower(): str(value) for name, value in error.resp.items()}
        return google_errors.fault_of(self.account, google_errors.read(int(error.resp.status), headers, error.content))

    def _client(self, *, is_write: bool) -> GoogleHttp:
        self._connected()
        if self._http is None:
            raise ValueError("not connected")
        self._http.scopes = "calendar" if is_write else "calendar-read"
        return self._http

    def _connected(self) -> Any:
        if self._service is None:
            # Half a second that only who has such an account shall wait for.
            library = self._library = _load()
            self._http = GoogleHttp(self.account, self._tokens, self._url, library.Response, self._timeouts_s)
            options = library.ClientOptions(api_endpoint=self._url)
            self._service = library.build("calendar", "v3", http=self._http, client_options=options, static_discovery=True)
        return self._service


class _Library:
    """What is used of Google's library and of the one beneath it."""

    def __init__(self) -> None:
        import httplib2
        from google.api_core.client_options import ClientOptions
        from googleapiclient import discovery, errors
        from googleapiclient.http import BatchHttpRequest

        untyped: Any = discovery
        self.build = untyped.build
        self.ClientOptions: Any = ClientOptions
        self.BatchHttpRequest: Any = BatchHttpRequest
        self.HttpError: Any = errors.HttpError
        self.BatchError: Any = errors.BatchError
        self.Response: Any = httplib2.Response


def _load() -> _Library:
    try:
        return _Library()
    except ImportError as error:
        raise Refusal(_NO_LIBRARY) from error


def _pause(number: int) -> float:
    """Further and further apart, and never all clients at once."""
    return min(2.0**number + random.random(), LONGEST_WAIT_S)
