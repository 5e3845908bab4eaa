"""From settings to the tool servers that are started: which command, which store, which environment."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType

from agent.tools.mcp_client import ServerSpec
from agent.view.prompt import canonical_json
from config.paths import Home
from config.schema import AgentSettings

_KEYRING = ("XDG_CONFIG_HOME", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "PYTHON_KEYRING_BACKEND")
"""By what the system's keyring is found where it is a program of its own."""
_TOKENS = ("VARIET_GOOGLE_CLIENT_SECRET", "VARIET_TOKENS_PASSPHRASE", *_KEYRING)
"""What opens the tokens of Google accounts."""


def server_specs(home: Home, settings: AgentSettings) -> list[ServerSpec]:
    """Every server that the settings enable, by name."""
    specs: list[ServerSpec] = []
    for name, entry in sorted(settings.servers.items()):
        if not entry.enabled:
            continue
        command = entry.command or (sys.executable, "-m", f"mcp_servers.{entry.builtin}", *_OPTIONS[entry.builtin or ""](home, settings))
        env = {**_found(home, entry.builtin, settings), **entry.env}
        wants_grants = entry.builtin == "outbox"
        specs.append(
            ServerSpec(name, command, env, builtin=entry.builtin, start_timeout_s=entry.start_timeout_s, wants_grants=wants_grants)
        )
    return specs


def _calendars(home: Home, settings: AgentSettings) -> list[str]:
    said = settings.calendars.model_dump(mode="json", exclude_defaults=True, exclude={"store"})
    told = ["--settings", canonical_json(said)] if said else []
    return ["--store", str(settings.calendars.store or home.data_dir / "calendars"), *told, *_google(settings), *_zone(settings)]


def _google(settings: AgentSettings) -> list[str]:
    said = settings.google.model_dump(mode="json", exclude_defaults=True)
    return ["--google", canonical_json(said)] if said else []


def _mail(home: Home, settings: AgentSettings) -> list[str]:
    told = [{"name": name, "account": entry.model_dump(exclude_defaults=True)} for name, entry in settings.mail.accounts.items()]
    accounts = [part for one in told for part in ("--account", canonical_json(one))]
    return ["--store", str(settings.mail.store or home.data_dir / "mail"), *accounts, *_zone(settings)]


def _found(home: Home, builtin: str | None, settings: AgentSettings) -> dict[str, str]:
    """Where a server finds its home, its passwords and the tokens of its accounts."""
    keys = _TOKENS if builtin == "calendars" and settings.google.client_id else ()
    kept = {name: os.environ[name] for name in keys if name in os.environ}
    return {**(home.environment() if builtin else {}), **_secrets(builtin, settings), **kept}


def _secrets(builtin: str | None, settings: AgentSettings) -> dict[str, str]:
    """What a server needs to find its own passwords, and no other's: they are files of the home, or variables of ours."""
    accounts = settings.calendars.accounts if builtin == "calendars" else settings.mail.accounts
    kind = {"mail": "IMAP", "outbox": "SMTP", "calendars": "CALDAV"}.get(builtin or "")
    if kind is None or not accounts:
        return {}
    names = ["XDG_CONFIG_HOME", *(f"VARIET_{kind}_{name.upper()}_PASSWORD" for name in accounts)]
    return {name: os.environ[name] for name in names if name in os.environ}


def _searxng(_: Home, settings: AgentSettings) -> list[str]:
    # It is told everything: the service's settings may be another file than the one that the server would look into.
    return [*(part for url in settings.searxng.urls for part in ("--url", url)), "--no-settings"]


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
