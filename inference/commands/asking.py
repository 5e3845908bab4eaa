"""Ask one engine over its own HTTP interface: where it is, with which key, and what its refusals become on a command line."""

from __future__ import annotations

import functools
import os
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeVar
from urllib.parse import urlsplit

import click
import httpx2
from pydantic import BaseModel, SecretStr, ValidationError

from config.credentials import ENGINE_KEY, CredentialError, read_key, why_refused
from config.load import ConfigError, load_agent
from config.network.reach import why_unreached
from config.network.trust import CertificatesRefused, trust_of, why_untrusted
from config.paths import Home
from config.schema import ServerSection
from inference.commands import options
from inference.contract import CONTRACT, MODEL, ErrorEnvelope
from inference.door.bind import is_loopback

Answer = TypeVar("Answer", bound=BaseModel)

CONNECT_BOUND_S = 3.0
"""An engine on this machine or in this house accepts at once, or is not there."""
LONGEST_SWITCH_S = 3600.0
"""A load is bounded by the engine, which knows whether it goes on; this only ends a wait for an engine that hangs."""
_SETTINGS_REFUSED, _KEY_UNKNOWN = "settings_refused", "invalid_key"
_MOST_WORDS = 300
"""Characters of a refusal in a form of its own."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print the engine's answer as one JSON object.")
ca_option = click.option(
    "--ca",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The certificate, in PEM, that vouches for an https address. Absent: the one that `variet connect` kept, else the system's.",
)
_url_option = click.option(
    "--url",
    help="Address of the engine. Absent: `engine.url` of agent.toml, as `variet connect` writes it; without one, or with --config, the "
    "[server] of engine.toml.",
)
_START = (
    "Start one: variet engine serve (or name the one that you mean with --url; what `variet chat` starts for itself answers nobody else)."
)
_CONNECTED = "That is engine.url of agent.toml, as `variet connect` writes it; --url names another, and so does --config FILE."


@dataclass(frozen=True)
class Whereabouts:
    """Which engine is meant, as it was said on the command line."""

    config: Path | None
    url: str | None
    ca: Path | None


def whereabouts(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say which engine is meant, as its argument `where`."""

    @options.config
    @_url_option
    @ca_option
    @functools.wraps(command)
    def with_where(*args: Any, config: Path | None, url: str | None, ca: Path | None, **rest: Any) -> None:
        command(*args, where=Whereabouts(config, url, ca), **rest)

    return with_where


class Timed(NamedTuple):
    """An answer's body, and how long it took. Seconds from the request."""

    content_type: str
    body: bytes
    first_byte_s: float
    whole_s: float


class AskedEngine:
    """One engine, asked over HTTP."""

    def __init__(self, client: httpx2.Client, advice: str = _START) -> None:
        """`advice`: what to do where nobody answers."""
        self._client = client
        self._advice = advice

    def __call__(self, method: str, path: str, body: dict[str, object] | None, form: type[Answer]) -> Answer:
        """Ask, and read the answer.

        Raises:
            Failure: nobody answers, or the engine refuses; the text is the engine's own.
        """
        with self._told():
            answer = self._client.request(method, path, json=body)
            if not answer.is_success:
                raise _refusal(answer)
            return form.model_validate_json(answer.content)

    def events(self, path: str, form: type[Answer]) -> Iterator[Answer]:
        """The payloads of a stream of server-sent events, until it ends.

        Raises:
            Failure: as above, and when the engine goes in the middle.
        """
        with self._told(), self._client.stream("GET", path) as answer:
            if not answer.is_success:
                answer.read()
                raise _refusal(answer)
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    yield form.model_validate_json(line.removeprefix("data: "))

    def timed(self, path: str, body: dict[str, object], most_bytes: int) -> Timed:
        """Ask for what is no JSON, and see when it comes.

        Raises:
            Failure: as above, and when the answer is longer than `most_bytes`.
        """
        began = time.perf_counter()
        first_byte_s = 0.0
        found = bytearray()
        with self._told(), self._client.stream("POST", path, json=body) as answer:
            if not answer.is_success:
                answer.read()
                raise _refusal(answer)
            for part in answer.iter_bytes():
                first_byte_s = first_byte_s or time.perf_counter() - began
                found += part
                if len(found) > most_bytes:
                    raise options.Failure(f"The answer is longer than {most_bytes // 2**20} MiB.")
        whole_s = time.perf_counter() - began
        return Timed(answer.headers.get("content-type", ""), bytes(found), first_byte_s or whole_s, whole_s)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What can go wrong on the way, as what a person is told."""
        where = str(self._client.base_url).rstrip("/")
        try:
            yield
        except httpx2.TransportError as error:
            silent = f"No engine answers at {where}: {error or type(error).__name__}. {self._advice}"
            raise options.NoEngine(why_untrusted(where, error) or why_unreached(where, error) or silent) from error
        except ValidationError as error:
            raise options.NoEngine(f"What answers at {where} is no engine of this version.") from error


def _refusal(answer: httpx2.Response) -> options.Failure:
    try:
        said = ErrorEnvelope.model_validate_json(answer.content).error
    except ValidationError:
        if CONTRACT not in answer.headers:
            raise
        # It came through an engine: a model's own server, which refuses in a form of its own.
        words = "".join(each if each.isprintable() else " " for each in answer.text[:_MOST_WORDS])
        return options.Failure(f"{answer.headers.get(MODEL, 'The model')} refused with status {answer.status_code}: {words}")
    if said.code == _KEY_UNKNOWN:
        asked = answer.request.url
        return key_refused(answer, f"{asked.scheme}://{asked.netloc.decode('ascii')}")
    return options.WrongSettings(said.message) if said.code == _SETTINGS_REFUSED else options.Failure(said.message)


def key_refused(answer: httpx2.Response, url: str, engine: str | None = None) -> options.Failure:
    """What a person is told who was not let in: the words of the answer are for who writes programs.

    Args:
        answer: the refusal.
        url: what was asked.
        engine: where `variet connect` finds the engine, if not there.
    """
    return options.Failure(why_refused(url, was_shown="authorization" in answer.request.headers, engine=engine))


@contextmanager
def asked_engine(where: Whereabouts, headers: Mapping[str, str] = MappingProxyType({})) -> Iterator[AskedEngine]:
    """The engine that is meant, with this home's key.

    1. The one that was named.
    2. The one that this home is connected to, unless a settings file was named: its own `engine.toml` speaks of another then, if of any.
    3. The one that the settings file says.

    Raises:
        Failure: settings, key or certificate cannot be used.
    """
    home = Home.find()
    # 2.
    connected = connected_to(home) if where.url is None and where.config is None else None
    # 3.
    server = options.settings_from(where.config, home, {}).server if where.url is None and connected is None else None
    url = where.url or connected or _address_of(server or ServerSection())
    access = access_to(url, where.ca, home, server)
    timeout = httpx2.Timeout(LONGEST_SWITCH_S, connect=CONNECT_BOUND_S)
    try:
        client = httpx2.Client(base_url=url, headers={**headers, **access.headers}, timeout=timeout, trust_env=False, verify=access.trusted)
    except httpx2.InvalidURL as error:
        raise options.WrongSettings(f"{url!r} is no address: {error}") from error
    with client:
        yield AskedEngine(client, _START if connected is None else _CONNECTED)


def connected_to(home: Home) -> str | None:
    """The engine that `variet connect` wrote down.

    Raises:
        WrongSettings: agent.toml cannot be used.
    """
    try:
        return load_agent(home=home).engine.url
    except ConfigError as error:
        raise options.WrongSettings(str(error)) from error


class Access(NamedTuple):
    """How a server is spoken to."""

    headers: dict[str, str]
    """With the key."""
    trusted: ssl.SSLContext | Literal[True]
    """Who may vouch for it."""


def access_to(url: str, ca: Path | None, home: Home, own: ServerSection | None = None) -> Access:
    """What this home has for the server at `url`.

    1. Trusted is the certificate that was named; else the one that `variet connect` kept for that machine; else, of an engine whose
       settings are at hand (`own`), its own; else those of the system.
    2. A key from the environment is shown. One that is kept is shown to this machine and to the one that it was kept for.

    Raises:
        WrongSettings: one of them cannot be used.
    """
    try:
        link = load_agent(home=home).engine
        is_kept_for = own is not None or link.url is None or _machine_of(url) == _machine_of(link.url) or is_loopback(_machine_of(url)[1])
        # 1.
        kept_ca = link.ca if link.url is not None and _machine_of(url) == _machine_of(link.url) else None
        trusted = trust_of(ca or kept_ca or (own.tls_cert if own is not None else None))
        # 2.
        key = read_key(ENGINE_KEY, home=home)
    except (CertificatesRefused, ConfigError, CredentialError) as error:
        raise options.WrongSettings(str(error)) from error
    is_shown = key is not None and (is_kept_for or os.environ.get(f"VARIET_{ENGINE_KEY.upper()}", "").strip())
    return Access(_bearer(key) if is_shown else {}, trusted)


def _bearer(key: SecretStr | None) -> dict[str, str]:
    return {"authorization": f"Bearer {key.get_secret_value()}"} if key else {}


def _machine_of(url: str) -> tuple[str, str]:
    """Scheme and host: a key that was kept for https is not sent readable."""
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or ""
    except ValueError:
        return "", ""


def _address_of(server: ServerSection) -> str:
    scheme = "http" if server.tls_cert is None else "https"
    return f"{scheme}://[{server.host}]:{server.port}" if ":" in server.host else f"{scheme}://{server.host}:{server.port}"
