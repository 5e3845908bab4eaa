"""From settings to the tools: which accounts there are, where the password of each is, and where new events go."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
from pydantic import SecretStr, ValidationError

from config.calendar_settings import CalendarAccountEntry, CalendarSection
from config.credentials import CredentialError, read_secret
from mcp_servers.calendars.backends.caldav import CalDavCalendars
from mcp_servers.calendars.backends.dav import Login, secret_name
from mcp_servers.calendars.backends.local import LocalCalendars
from mcp_servers.calendars.server import Calendars
from mcp_servers.errors import Refusal


def section_of(text: str) -> CalendarSection:
    """What the command line says of `[calendars]`, as JSON.

    Raises:
        click.BadParameter: it is none.
    """
    try:
        return CalendarSection.model_validate_json(text)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise click.BadParameter(f"{where or 'it'}: {problem['msg']}", param_hint="--settings") from error


def calendars_of(folder: Path, section: CalendarSection) -> Calendars:
    """The tools over the local folder and every account. No account is asked before it is needed."""
    local = LocalCalendars(folder, frozenset({section.address} if section.address else ()))
    accounts = [_account(name, entry) for name, entry in section.accounts.items()]
    return Calendars(local, *accounts, default=section.default or "")


def _account(name: str, entry: CalendarAccountEntry) -> CalDavCalendars:
    login = Login(name, entry.url, entry.user, _password_of(name), allow_plain_http=entry.allow_plain_http)
    return CalDavCalendars(login, entry.address or "")


def _password_of(account: str) -> Callable[[], SecretStr | None]:
    def password() -> SecretStr | None:
        try:
            return read_secret(secret_name(account))
        except CredentialError as error:
            raise Refusal(str(error)) from error

    return password
