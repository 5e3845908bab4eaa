"""The options that the servers' commands share, and what they default to.

Defaults come from `agent.toml` and the home, so that a server works alone, for any MCP client; the agent service names
everything itself.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from config.load import ConfigError, load_agent
from config.paths import Home
from config.schema import AgentSettings

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def store_option(text: str) -> Decorator:
    return click.option("--store", type=click.Path(path_type=Path, file_okay=False), help=f"{text} Default: the configured one.")


def zone_option() -> Decorator:
    return click.option("--zone", help="The person's time zone, such as Europe/Berlin. Default: the configured one, else this machine's.")


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
