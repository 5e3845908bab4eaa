"""From settings to the tools: which accounts there are, where the password of each is, and where new events go."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import click
from pydantic import SecretStr, ValidationError

from config.calendar_settings import LOCAL_CALENDARS, CalendarAccountEntry, CalendarSection
from config.credentials import CredentialError, read_secret
from config.google_settings import GoogleSection
from config.paths import Home
from mcp_servers.accounts.bearer import bearers_of
from mcp_servers.accounts.failing import AccountUnusable
from mcp_servers.calendars.backends.caldav import CalDavCalendars
from mcp_servers.calendars.backends.dav import Login, secret_name
from mcp_servers.calendars.backends.google import GoogleCalendars
from mcp_servers.calendars.backends.google_api import GoogleApi
from mcp_servers.calendars.backends.local import LocalCalendars
from mcp_servers.calendars.server import Calendars
from mcp_servers.errors import Refusal

_log = logging.getLogger(__name__)


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


def calendars_of(folder: Path, section: CalendarSection, google: GoogleSection) -> Calendars:
    """The tools over the local folder and every account. No account is asked before it is needed."""
    local = LocalCalendars(folder, frozenset({section.address} if section.address else ()))
    accounts = [_account(name, entry) for name, entry in section.accounts.items()]
    taken = frozenset({LOCAL_CALENDARS, *section.accounts})
    return Calendars(local, *accounts, *_google_accounts(google, taken), default=section.default or "")


def _google_accounts(section: GoogleSection, taken: frozenset[str]) -> list[GoogleCalendars]:
    """Those that a person has let Variet into."""
    if section.client_id is None:
        return []
    bearers = bearers_of(section, Home.find())
    try:
        names = bearers.accounts("calendar-read")
    except AccountUnusable as error:
        _log.warning("No Google account is used: %s", error)
        return []
    for name in taken.intersection(names):
        _log.warning("The Google account %s is not used: another account has its name. Log in again under another one.", name)
    return [GoogleCalendars(GoogleApi(name, bearers, section.calendar_url)) for name in names if name not in taken]


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
