"""Ask one engine over its own HTTP interface: where it is, with which key, and what its refusals become on a command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import click
import httpx2
from pydantic import BaseModel, ValidationError

from config.credentials import CredentialError, read_secret
from config.paths import Home
from inference.commands import options
from inference.contract import ErrorEnvelope

Answer = TypeVar("Answer", bound=BaseModel)

CONNECT_BOUND_S = 3.0
"""An engine on this machine or in this house accepts at once, or is not there."""
LONGEST_SWITCH_S = 3600.0
"""A load is bounded by the engine, which knows whether it goes on; this only ends a wait for an engine that hangs."""

url_option = click.option("--url", help="Address of the engine instead of the one in the settings.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print the engine's answer as one JSON object.")


class AskedEngine:
    """One engine, asked over HTTP."""

    def __init__(self, client: httpx2.Client) -> None:
        self._client = client

    def __call__(self, method: str, path: str, body: dict[str, object] | None, form: type[Answer]) -> Answer:
        """Ask, and read the answer.

        Raises:
            Failure: nobody answers, or the engine refuses; the text is the engine's own.
        """
        try:
            answer = self._client.request(method, path, json=body)
        except httpx2.TransportError as error:
            where = self._client.base_url
            raise options.NoEngine(f"No engine answers at {where}: {error}. Start one: variet engine serve") from error
        try:
            if answer.is_success:
                return form.model_validate_json(answer.content)
            message = ErrorEnvelope.model_validate_json(answer.content).error.message
        except ValidationError as error:
            raise options.NoEngine(f"What answers at {self._client.base_url} is no engine of this version.") from error
        raise options.Failure(message)

    def events(self, path: str, form: type[Answer]) -> Iterator[Answer]:
        """The payloads of a stream of server-sent events, until it ends.

        Raises:
            Failure: as above.
        """
        with self._client.stream("GET", path) as answer:
            if not answer.is_success:
                answer.read()
                raise options.Failure(ErrorEnvelope.model_validate_json(answer.content).error.message)
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    yield form.model_validate_json(line.removeprefix("data: "))


@contextmanager
def asked_engine(config: Path | None, url: str | None, headers: Mapping[str, str] = MappingProxyType({})) -> Iterator[AskedEngine]:
    """The engine at `url`, else the one of the settings, with this home's key."""
    home = Home.find()
    if url is None:
        server = options.settings_from(config, home, {}).server
        scheme = "http" if server.tls_cert is None else "https"
        url = f"{scheme}://[{server.host}]:{server.port}" if ":" in server.host else f"{scheme}://{server.host}:{server.port}"
    try:
        key = read_secret("engine_key", home=home)
    except CredentialError as error:
        raise options.WrongSettings(str(error)) from error
    shown = {**headers, "authorization": f"Bearer {key.get_secret_value()}"} if key else dict(headers)
    timeout = httpx2.Timeout(LONGEST_SWITCH_S, connect=CONNECT_BOUND_S)
    with httpx2.Client(base_url=url, headers=shown, timeout=timeout, trust_env=False) as client:
        yield AskedEngine(client)
