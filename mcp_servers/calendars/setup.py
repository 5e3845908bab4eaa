"""From settings to the tools: which accounts there are, where the password of each is, and where new events go."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import click
from pydantic import SecretStr, ValidationError

from config.credentials import CredentialError, read_secret
from config.paths import Home
from config.shapes.calendars import LOCAL_CALENDARS, CalendarAccountEntry, CalendarSection
from config.shapes.google import GoogleSection
from mcp_servers.accounts.bearer import bearers_of
from mcp_servers.accounts.failing import AccountUnusable
from mcp_servers.calendars.backends.caldav.account import CalDavCalendars
from mcp_servers.calendars.backends.caldav.dav import Login, secret_name
from mcp_servers.calendars.backends.google.account import GoogleCalendars
from mcp_servers.calendars.backends.google.service import CalendarApi
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
    servers = [_on_server(name, entry) for name, entry in section.accounts.items() if entry.kind == "caldav"]
    at_google = {name: entry for name, entry in section.accounts.items() if entry.kind == "google"}
    taken = frozenset({LOCAL_CALENDARS, *(section.accounts.keys() - at_google.keys())})
    own = {name: entry.calendars for name, entry in section.accounts.items() if entry.calendars is not None}
    return Calendars(local, *servers, *_google_accounts(google, at_google, taken), default=section.default or "", own=own)


def _google_accounts(section: GoogleSection, named: Mapping[str, CalendarAccountEntry], taken: frozenset[str]) -> list[GoogleCalendars]:
    """Those that the settings name, and those that a person has let Variet into."""
    if section.client_id is None and not named:
        return []
    bearers = bearers_of(section, Home.find())
    try:
        known = bearers.accounts("calendar-read")
    except AccountUnusable as error:
        _log.warning("No Google account is used: %s", error)
        known = ()
    for name in taken.intersection(known):
        _log.warning("The Google account %s is not used: another account has its name. Log in again under another one.", name)
    names = [name for name in dict.fromkeys([*named, *known]) if name not in taken]
    addresses = {name: entry.address or "" for name, entry in named.items()}
    return [GoogleCalendars(CalendarApi(name, bearers, section.calendar_url), addresses.get(name, "")) for name in names]


def _on_server(name: str, entry: CalendarAccountEntry) -> CalDavCalendars:
    login = Login(name, entry.url or "", entry.user or "", _password_of(name), allow_plain_http=entry.allow_plain_http)
    return CalDavCalendars(login, entry.address or "")


def _password_of(account: str) -> Callable[[], SecretStr | None]:
    def password() -> SecretStr | None:
        try:
            return read_secret(secret_name(account))
        except CredentialError as error:
            raise Refusal(str(error)) from error

    return password
