"""How a server's command is told of `[google]`."""

from __future__ import annotations

import click
from pydantic import ValidationError

from config.shapes.google import GoogleSection
from mcp_servers.protocol.options import Decorator, settings


def google_option() -> Decorator:
    return click.option("--google", "google", metavar="JSON", help="What [google] of agent.toml says. Default: what is configured.")


def told_google(text: str | None, *, is_configured: bool) -> GoogleSection:
    """The section of the command line, else that of the settings.

    Args:
        text: what the command line says.
        is_configured: look into the settings when it says nothing. Not wanted where a store was named.

    Raises:
        click.BadParameter: it is none.
    """
    if text is None:
        return settings().google if is_configured else GoogleSection()
    try:
        return GoogleSection.model_validate_json(text)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        raise click.BadParameter(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}", param_hint="--google") from error
