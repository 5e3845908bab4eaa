"""From settings to the tool servers that are started: which command, which store, which environment."""

from __future__ import annotations

import logging
import os
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

from agent.tools.spec import ServerSpec
from agent.tools.transports import token_name
from agent.view.prompt import canonical_json
from config.credentials import CredentialError, read_secret, secret_file
from config.network.collectors import passed_on
from config.paths import Home
from config.schema import AgentSettings
from config.shapes.servers import ServerEntry

_KEYRING = ("XDG_CONFIG_HOME", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "PYTHON_KEYRING_BACKEND")
"""By what the system's keyring is found where it is a program of its own."""
_TOKENS = ("VARIET_GOOGLE_CLIENT_SECRET", "VARIET_TOKENS_PASSPHRASE", *_KEYRING)
"""What opens the tokens of Google accounts."""
_SEARXNG_URLS = "VARIET_SEARXNG_URLS"
"""By which the web search server is told its instances, with a blank between two."""
COMMAND_MARGIN_S = 30.0
"""For a command of the workspace to be ended and its output read, beyond the time that it may take."""

log = logging.getLogger(__name__)


def server_specs(home: Home, settings: AgentSettings) -> list[ServerSpec]:
    """Every server that the settings enable, by name."""
    specs: list[ServerSpec] = []
    for name, entry in sorted(settings.servers.items()):
        if not entry.enabled:
            continue
        if vain := _in_vain(entry):
            log.warning("servers.%s: %s", name, vain)
        if entry.url is not None:
            specs.append(_at_an_address(home, name, entry, settings))
            continue
        command = entry.command or _own(entry.builtin or "", home, settings)
        env = {**_found(home, entry.builtin, settings), **entry.env}
        wants_grants = entry.builtin == "outbox"
        # Our own are told what they need at their start.
        roots = () if entry.builtin else tuple(Path(root) for root in settings.workspace.roots)
        # Read at each start: one that is put right counts without a restart of the service.
        secrets = partial(_kept, entry.secrets, home)
        spec = ServerSpec(name, command, env, builtin=entry.builtin, wants_grants=wants_grants, secrets=secrets, roots=roots)
        specs.append(_timed(spec, entry, settings))
    return specs


def _in_vain(entry: ServerEntry) -> str:
    """What of it does nothing; empty where all of it counts."""
    if entry.url is not None and (entry.env or entry.secrets):
        return f"`{'env' if entry.env else 'secrets'}` does nothing beside `url`: no program is started there"
    if entry.url is None and entry.ca is not None:
        return "`ca` does nothing where a program is started: it is for a `url`"
    return ""


def _kept(secrets: Mapping[str, str], home: Home) -> dict[str, str]:
    """The values of variables that are secrets.

    Raises:
        CredentialError: one of them is missing, or must not be used.
    """
    found: dict[str, str] = {}
    for variable, name in secrets.items():
        value = read_secret(name, home=home)
        if value is None:
            where = f"{secret_file(name, home=home)} (chmod 600), or into VARIET_{name.upper()}"
            raise CredentialError(f"its secret {variable} is missing: put it into {where}")
        found[variable] = value.get_secret_value()
    return found


def _own(builtin: str, home: Home, settings: AgentSettings) -> tuple[str, ...]:
    # -P keeps the current folder, which is whatever a front-end was started in, from shadowing modules.
    return (sys.executable, "-P", "-m", f"mcp_servers.{builtin}", *_OPTIONS[builtin](home, settings))


def _at_an_address(home: Home, name: str, entry: ServerEntry, settings: AgentSettings) -> ServerSpec:
    # Read at each start: a token that is put right counts without a restart of the service.
    token = partial(read_secret, token_name(name), home=home)
    return _timed(ServerSpec(name, url=entry.url or "", token=token, ca=entry.ca), entry, settings)


def _timed(spec: ServerSpec, entry: ServerEntry, settings: AgentSettings) -> ServerSpec:
    # A command of the workspace may take as long as its own settings say; it tells every second that it runs.
    longest_s = max(entry.longest_call_s, settings.workspace.timeout_s + COMMAND_MARGIN_S if entry.builtin == "workspace" else 0)
    return replace(
        spec,
        start_timeout_s=entry.start_timeout_s,
        call_timeout_s=entry.call_timeout_s,
        tool_timeouts=entry.tool_timeouts,
        longest_call_s=longest_s,
    )


def _calendars(home: Home, settings: AgentSettings) -> list[str]:
    said = settings.calendars.model_dump(mode="json", exclude_defaults=True, exclude={"store"})
    told = ["--settings", canonical_json(said)] if said else []
    return ["--store", str(settings.calendars.store or home.data_dir / "calendars"), *told, *_google(settings), *_zone(settings)]


def _google(settings: AgentSettings) -> list[str]:
    said = settings.google.model_dump(mode="json", exclude_defaults=True)
    return ["--google", canonical_json(said)] if said else []


def _mail(home: Home, settings: AgentSettings) -> list[str]:
    told = [
        {"name": name, "account": entry.model_dump(mode="json", exclude_defaults=True)} for name, entry in settings.mail.accounts.items()
    ]
    accounts = [part for one in told for part in ("--account", canonical_json(one))]
    google = _google(settings) if _has_gmail(settings) else []
    return ["--store", str(settings.mail.store or home.data_dir / "mail"), *accounts, *google, *_zone(settings)]


def _has_gmail(settings: AgentSettings) -> bool:
    return any(entry.kind == "google" for entry in settings.mail.accounts.values())


def _found(home: Home, builtin: str | None, settings: AgentSettings) -> dict[str, str]:
    """Where a server finds its home, its passwords and the tokens of its accounts."""
    asks_google = builtin == "calendars" or builtin in ("mail", "outbox") and _has_gmail(settings)
    keys = _TOKENS if asks_google and settings.google.client_id else ()
    kept = {name: os.environ[name] for name in keys if name in os.environ}
    # Their clock is to be ours.
    clock = {name: os.environ[name] for name in ("TZ",) if name in os.environ}
    # Of our own servers alone: what is needed to reach a collector may hold a password.
    ours = {**home.environment(), **clock, **passed_on(os.environ, settings.agent.telemetry)} if builtin else {}
    # An address may hold a password, and a command line is shown to every account of the machine.
    searched = {_SEARXNG_URLS: " ".join(settings.searxng.urls)} if builtin == "searxng" and settings.searxng.urls else {}
    return {**ours, **_secrets(builtin, settings), **kept, **searched}


def _secrets(builtin: str | None, settings: AgentSettings) -> dict[str, str]:
    """What a server needs to find its own passwords, and no other's: they are files of the home, or variables of ours."""
    accounts = settings.calendars.accounts if builtin == "calendars" else settings.mail.accounts
    kind = {"mail": "IMAP", "outbox": "SMTP", "calendars": "CALDAV"}.get(builtin or "")
    if kind is None or not accounts:
        return {}
    names = ["XDG_CONFIG_HOME", *(f"VARIET_{kind}_{name.upper()}_PASSWORD" for name in accounts)]
    return {name: os.environ[name] for name in names if name in os.environ}


def _searxng(_: Home, __: AgentSettings) -> list[str]:
    # Told by `_found`: the service's settings may be another file than the one that the server would look into.
    return ["--no-settings"]


def _workspace(_: Home, settings: AgentSettings) -> list[str]:
    said = settings.workspace
    lists = {"root": said.roots, "allow-secret": said.secrets, "allow-command": said.commands, "pass-variable": said.environment}
    # In one part each: a value that begins with a dash is no option.
    listed = [f"--{option}={value}" for option, values in lists.items() for value in values]
    commands = [f"--tests={shlex.join(said.tests)}", f"--checks={shlex.join(said.checks)}", f"--timeout={said.timeout_s}"]
    return [*listed, *(["--allow-hard-links"] if said.hard_links else []), *commands]


def _zone(settings: AgentSettings) -> list[str]:
    return ["--zone", settings.agent.zone] if settings.agent.zone else []


_OPTIONS: Mapping[str, Callable[[Home, AgentSettings], list[str]]] = MappingProxyType(
    {"calendars": _calendars, "mail": _mail, "outbox": _mail, "searxng": _searxng, "workspace": _workspace}
)
