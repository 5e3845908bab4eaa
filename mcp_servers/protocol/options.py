"""The options that the servers' commands share, and what they default to.

Defaults come from `agent.toml` and the home, so that a server works alone, for any MCP client; the agent service names
everything itself.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from config.load import ConfigError, load_agent
from config.paths import Home
from config.schema import AgentSettings
from mcp_servers.protocol.bind import Bind, BindRefused, check_bind, place_of

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def store_option(text: str) -> Decorator:
    default = "Default: the configured one, beside the configured accounts; a store that is named here stands alone."
    return click.option("--store", type=click.Path(path_type=Path, file_okay=False), help=f"{text} {default}")


def zone_option() -> Decorator:
    return click.option("--zone", help="The person's time zone, such as Europe/Berlin. Default: the configured one, else this machine's.")


def http_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of streamable HTTP; the command gets `bind`, None where it is to serve over standard input and output.

    Stands directly above the command's function: what is below it would lose its options.
    """

    @functools.wraps(function)
    def command(*args: Any, **said: Any) -> Any:
        place, rest = said.pop("http"), [said.pop(name) for name in ("tls_cert", "tls_key", "allow_plain_http", "names", "origins")]
        return function(*args, bind=_bind(place, *rest) if place else None, **said)

    file = click.Path(path_type=Path, dir_okay=False)
    for option in (
        click.option(
            "--allow-origin", "origins", multiple=True, help="A web page's origin that may use it, such as http://127.0.0.1:8080."
        ),
        click.option("--name", "names", multiple=True, help="Another name that clients call this machine, for --http."),
        click.option("--allow-plain-http", is_flag=True, help="Off loopback without TLS: the token can be read on its way."),
        click.option("--tls-key", type=file, help="The certificate's key."),
        click.option("--tls-cert", type=file, help="Serve https with this certificate."),
        click.option("--http", metavar="[HOST:]PORT", help="Serve over streamable HTTP at /mcp instead, behind a token. Host: 127.0.0.1."),
    ):
        command = option(command)
    return command


def _bind(place: str, *rest: Any) -> Bind:
    tls_cert, tls_key, allow_plain_http, names, origins = rest
    try:
        bind = Bind(*place_of(place), tls_cert, tls_key, allow_plain_http, tuple(name.lower() for name in names), origins)
        check_bind(bind)
    except BindRefused as refusal:
        raise click.BadParameter(str(refusal), param_hint="--http") from refusal
    return bind


def settings() -> AgentSettings:
    try:
        return load_agent()
    except ConfigError as error:
        raise click.ClickException(str(error)) from error


def calendar_store(store: Path | None) -> Path:
    return store or settings().calendars.store or Home.find().data_dir / "calendars"


def mail_store(store: Path | None) -> Path:
    return store or settings().mail.store or Home.find().data_dir / "mail"


def zone_named(name: str | None, *, is_configured: bool) -> tzinfo | None:
    """The zone, or None for this machine's.

    Args:
        name: what the command line says.
        is_configured: look into the settings when it says nothing. Not wanted where a store was named: a server
            that is told where its store is reads no settings.
    """
    name = name or (settings().agent.zone if is_configured else None)
    try:
        return ZoneInfo(name) if name else None
    except (ValueError, ZoneInfoNotFoundError, OSError) as error:
        raise click.BadParameter(f"{name} is no time zone; Europe/Berlin is one.", param_hint="--zone") from error
