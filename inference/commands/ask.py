"""`variet engine status|switch|unload`: ask a running engine, over its own HTTP interface."""

from __future__ import annotations

import os
import sys
import threading
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
from inference.cli import EXIT_CODES
from inference.commands import options
from inference.contract import FORCE, EngineStatus, ErrorEnvelope, SwapProgress, SwitchAnswer, UnloadAnswer

Answer = TypeVar("Answer", bound=BaseModel)

CONNECT_BOUND_S = 3.0
"""An engine on this machine or in this house accepts at once, or is not there."""
LONGEST_SWITCH_S = 3600.0
"""A load is bounded by the engine, which knows whether it goes on; this only ends a wait for an engine that hangs."""
SHOW_EVERY_S = 0.5
"""Between two looks at the progress of a switch."""

_COLOURS = {"ready": "green", "failed": "red", "loading": "yellow", "stopping": "yellow"}

url_option = click.option("--url", help="Address of the engine instead of the one in the settings.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print the engine's answer as one JSON object.")


@click.command(epilog=f"Example: variet engine status --json\n\n{EXIT_CODES}")
@options.config
@url_option
@json_option
def status(config: Path | None, url: str | None, *, as_json: bool) -> None:
    """Show what is loaded, what waits, and the load under way."""
    with _engine(config, url) as ask:
        answer = ask("GET", "/engine/status", None, EngineStatus)
    click.echo(answer.model_dump_json() if as_json else _status_text(answer))


@click.command(epilog=f"Examples: variet engine switch balanced; variet engine switch deep-coder --force\n\n{EXIT_CODES}")
@click.argument("name")
@click.option("--force", is_flag=True, help="End the requests that the present model is answering; passes gaming mode.")
@click.option("--no-wait", is_flag=True, help="Return as soon as the engine has taken it on.")
@options.config
@url_option
@json_option
def switch(name: str, config: Path | None, url: str | None, *, force: bool, no_wait: bool, as_json: bool) -> None:
    """Load the tier or model NAME in place of what is loaded."""
    with _engine(config, url, {FORCE: "true"} if force else {}) as ask, _progress(ask, is_shown=not (no_wait or as_json)):
        answer = ask("POST", "/engine/switch", {"model": name, "wait": not no_wait, "force": force}, SwitchAnswer)
    if as_json:
        click.echo(answer.model_dump_json())
        return
    click.echo(f"{answer.name} is {answer.state}." + (f" Its last load took {answer.last_load_s:.1f} s." if answer.last_load_s else ""))
    if answer.ended:
        click.echo(f"Ended requests: {', '.join(answer.ended)}")


@click.command(epilog=f"Examples: variet engine unload; variet engine unload fast\n\n{EXIT_CODES}")
@click.argument("name", required=False)
@options.config
@url_option
@json_option
def unload(name: str | None, config: Path | None, url: str | None, *, as_json: bool) -> None:
    """Free the memory of NAME, or of all models, once their running requests are done."""
    with _engine(config, url) as ask:
        answer = ask("POST", "/engine/unload", {"model": name}, UnloadAnswer)
    click.echo(answer.model_dump_json() if as_json else f"Unloaded: {', '.join(answer.unloaded) or 'nothing was loaded'}.")


class _Engine:
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


@contextmanager
def _engine(config: Path | None, url: str | None, headers: Mapping[str, str] = MappingProxyType({})) -> Iterator[_Engine]:
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
        yield _Engine(client)


@contextmanager
def _progress(ask: _Engine, *, is_shown: bool) -> Iterator[None]:
    """Show on standard error how a load goes on, where a person is looking; pipes get nothing."""
    if not (is_shown and sys.stderr.isatty()):
        yield
        return
    is_over = threading.Event()

    def show() -> None:
        while not is_over.wait(SHOW_EVERY_S):
            try:
                swap = ask("GET", "/engine/status", None, EngineStatus).swap
            except options.Failure:
                return
            if swap is not None:
                click.echo(f"\r\x1b[K{_swap_text(swap)}", nl=False, err=True)

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join(CONNECT_BOUND_S)
        click.echo("\r\x1b[K", nl=False, err=True)


def _swap_text(swap: SwapProgress) -> str:
    percent = "" if swap.percent is None else f" {swap.percent:.0f} %"
    expected = "" if swap.expected_s is None else f" of about {swap.expected_s:.0f} s"
    return f"{swap.model}: {swap.phase}{percent}, {swap.elapsed_s:.0f} s{expected}"


def _status_text(status: EngineStatus) -> str:
    lines: list[str] = []
    for model in status.models:
        tiers = f" ({', '.join(model.tiers)})" if model.tiers else ""
        load = f", {model.in_flight} running, {model.waiting} waiting" if model.in_flight or model.waiting else ""
        lines.append(f"{model.name}{tiers}: {_painted(model.state)}{load}")
        if model.error:
            lines.extend(f"    {line}" for line in model.error.splitlines())
    if status.swap:
        lines.append(f"loading {_swap_text(status.swap)}")
    lines.extend(f"waits #{each.position}: {each.id} for {each.model}, {each.waited_s:.0f} s" for each in status.queue)
    return "\n".join(lines)


def _painted(state: str) -> str:
    """A state in its colour, for a person at a terminal who has not said NO_COLOR."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return state
    return click.style(state, fg=_COLOURS.get(state))
