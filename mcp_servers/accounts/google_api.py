"""Asks a service of Google's through Google's own library, whose description of the service comes with it: nothing is looked up.

The library repeats writes by itself when it is let, so it never is. What is repeated here is what certainly had no
effect: a refusal because too much was asked, and for questions also a failure; each a few times, further and further
apart. Several questions go as one batch.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast
from urllib.parse import urlsplit

from mcp_servers.accounts import google_faults
from mcp_servers.accounts.google_faults import Busy, Failed, Service, Unanswered
from mcp_servers.accounts.google_http import GoogleHttp, Tokens
from mcp_servers.accounts.model import ScopeSet
from mcp_servers.errors import Refusal
from mcp_servers.protocol import progress

Json = dict[str, Any]
Request = Any
"""One call of the library, not made yet."""
MAX_TRIES = 4
LONGEST_WAIT_S = 16.0
_NO_LIBRARY = "Google accounts need their library. Install it: `pip install 'variet[google]'`."


class GoogleApi:
    """One account's service; connected when it is first asked. Not for use by two threads at once.

    Args:
        service: which.
        account: the person's name for it.
        tokens: who gives its tokens.
        url: where the service answers.
        wait: sleeps that many seconds.
        timeouts_s: to connect, and between two bytes; None for the usual.
    """

    def __init__(
        self,
        service: Service,
        account: str,
        tokens: Tokens,
        url: str,
        *,
        wait: Callable[[float], None] = progress.pause,
        timeouts_s: tuple[float, float] | None = None,
    ) -> None:
        self.account = account
        self._service = service
        self._tokens = tokens
        self._url = url if url.endswith("/") else f"{url}/"
        self._wait = wait
        self._timeouts_s = timeouts_s
        self._methods: Any = None
        self._library: Any = None
        self._http: GoogleHttp | None = None

    @property
    def methods(self) -> Any:
        """What the service can be asked, as the library has it.

        Raises:
            Refusal: the library is not installed.
        """
        return self._connected()

    def ask(self, request: Request) -> Json:
        """The answer to a question.

        Raises:
            Refusal: there is none; the sentence says why.
        """
        return self._repeated(lambda: self._once(request, self._service.reading), (Busy, Failed))

    def ask_all(self, requests: Sequence[Request], *, tries: int = MAX_TRIES) -> list[Json | Refusal]:
        """The answers to several questions, in their order; each may have failed by itself.

        Raises:
            Refusal: nothing was answered at all.
        """
        if len(requests) == 1 and tries == MAX_TRIES:
            return [self._kept(lambda: self.ask(requests[0]))]
        answers: dict[int, Json | Refusal] = {}
        for start in range(0, len(requests), self._service.max_in_batch):
            left = list(range(start, min(start + self._service.max_in_batch, len(requests))))
            for number in range(tries):
                answers |= self._batch({each: requests[each] for each in left})
                left = [each for each in left if isinstance(answers[each], Busy | Failed)]
                if not left:
                    break
                if number + 1 < tries:
                    self._wait(_pause(number))
        return [answers[each] for each in range(len(requests))]

    def write(self, request: Request) -> Json:
        """A change, made once.

        Raises:
            Unanswered: whether it was made is not known.
            Refusal: it was not made.
        """
        return self._repeated(lambda: self._once(request, self._service.writing), (Busy,))

    def write_once(self, request: Request) -> Json:
        """The same, and not asked for again even where it was refused as too much."""
        return self._once(request, self._service.writing)

    def upload_once(self, content: bytes, kind: str, request: Callable[[Any], Request]) -> Json:
        """The same for a change that comes with a file.

        Args:
            content: of the file.
            kind: its content type.
            request: makes the change, of the library's file.
        """
        self._connected()
        made = request(self._library.Upload(content, mimetype=kind, resumable=False))
        # The library would take it to the real Google, whatever address it was given.
        parts = urlsplit(str(made.uri))
        made.uri = f"{self._url}{parts.path.lstrip('/')}?{parts.query}"
        return self._once(made, self._service.writing)

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

    def _once(self, request: Request, scopes: ScopeSet) -> Json:
        http = self._client(scopes)
        try:
            answered: Any = request.execute(http=http, num_retries=0)
        except self._library.HttpError as error:
            raise self._fault(error, scopes) from error
        except (ValueError, UnicodeError) as error:
            raise self._unreadable() from error
        return self._checked(answered)

    def _batch(self, requests: Mapping[int, Request]) -> dict[int, Json | Refusal]:
        answers: dict[int, Json | Refusal] = {}
        scopes = self._service.reading

        def keep(name: str, answered: Any, error: Any) -> None:
            answers[int(name)] = self._kept(lambda: self._checked(answered)) if error is None else self._fault(error, scopes)

        parts = urlsplit(self._url)
        batch = self._library.BatchHttpRequest(callback=keep, batch_uri=f"{parts.scheme}://{parts.netloc}/{self._service.batch_path}")
        for number, request in requests.items():
            batch.add(request, request_id=str(number))

        def send() -> Json:
            try:
                batch.execute(http=self._client(scopes))
            except self._library.HttpError as error:
                raise self._fault(error, scopes) from error
            except (self._library.BatchError, KeyError, IndexError, ValueError, TypeError, UnicodeError) as error:
                raise self._unreadable() from error
            return {}

        self._repeated(send, (Busy, Failed))
        return answers

    def _checked(self, answered: Any) -> Json:
        if isinstance(answered, str | bytes) and answered.strip() in ("", "{}", b"", b"{}"):
            return {}  # what a deletion is answered with: nothing, or an object with nothing in it
        if not isinstance(answered, dict):
            raise self._unreadable()
        return cast("Json", answered)

    def _unreadable(self) -> Unanswered:
        return Unanswered(f"{self._service.title} gave an answer that cannot be read. Try again later.")

    def _fault(self, error: Any, scopes: ScopeSet) -> Refusal:
        headers = {str(name).lower(): str(value) for name, value in error.resp.items()}
        answer = google_faults.read(int(error.resp.status), headers, error.content)
        return google_faults.fault_of(self._service, self.account, scopes, answer)

    def _client(self, scopes: ScopeSet) -> GoogleHttp:
        self._connected()
        if self._http is None:
            raise ValueError("not connected")
        self._http.scopes = scopes
        return self._http

    def _connected(self) -> Any:
        if self._methods is None:
            # Half a second that only who has such an account shall wait for.
            library = self._library = _load()
            service = self._service
            self._http = GoogleHttp(self.account, service.title, self._tokens, self._url, library.Response, self._timeouts_s)
            options = library.ClientOptions(api_endpoint=self._url)
            self._methods = library.build(service.name, service.version, http=self._http, client_options=options, static_discovery=True)
        return self._methods


class _Library:
    """What is used of Google's library and of the one beneath it."""

    def __init__(self) -> None:
        import httplib2
        from google.api_core.client_options import ClientOptions
        from googleapiclient import discovery, errors
        from googleapiclient.http import BatchHttpRequest, MediaInMemoryUpload

        untyped: Any = discovery
        self.build = untyped.build
        self.ClientOptions: Any = ClientOptions
        self.BatchHttpRequest: Any = BatchHttpRequest
        self.Upload: Any = MediaInMemoryUpload
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
