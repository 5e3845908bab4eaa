"""`variet engine keys`: make, show and forget the keys of clients."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from config.paths import Home
from inference.catalog import build_catalog
from inference.cli import EXIT_CODES
from inference.commands import options
from inference.door.access import KeyInfo
from inference.door.keys import HIGHEST_PRIORITY, KEY_FILE, LEAST_PRIORITY, add_key, load_keys, remove_key
from inference.errors import SetupRefused

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(epilog=EXIT_CODES)
def keys() -> None:
    """The keys of clients; once there is one, every client needs one."""


@keys.command(name="add", epilog="Examples: variet engine keys add laptop; variet engine keys add phone --tiers fast,balanced --priority 5")
@click.argument("name")
@click.option("--tiers", help="The only tiers or models that it may ask for, by name and separated by commas.")
@click.option("--read-only", "is_read_only", is_flag=True, help="It may look at the engine and ask no model.")
@click.option(
    "--priority",
    type=click.IntRange(LEAST_PRIORITY, HIGHEST_PRIORITY),
    default=0,
    show_default=True,
    help="Requests of a higher one go first among those that wait, within the age bound.",
)
@options.config
@json_option
def add(name: str, tiers: str | None, priority: int, config: Path | None, *, is_read_only: bool, as_json: bool) -> None:
    """Make a key for the client NAME and show it, this once."""
    named = None if tiers is None else tuple(part.strip() for part in tiers.split(",") if part.strip())
    with _key_file() as path:
        if named is not None:
            catalog = build_catalog(options.settings_from(config, Home.find(), {}))
            unknown = [tier for tier in named if tier not in catalog.served]
            if unknown or not named:
                raise options.WrongSettings(f"There is no tier {', '.join(unknown) or tiers!r}. There are: {', '.join(catalog.served)}.")
        key = add_key(path, name, tiers=named, is_read_only=is_read_only, priority=priority)
        info = load_keys(path).client_of(key)
    if info is None or not as_json:
        click.echo(key)
        click.echo("It is not shown again. On the client: variet connect URL", err=True)
    else:
        click.echo(json.dumps({"key": key, **_facts(info)}))


@keys.command(name="remove", epilog="Example: variet engine keys remove laptop")
@click.argument("name")
@json_option
def remove(name: str, *, as_json: bool) -> None:
    """Forget the key of the client NAME."""
    with _key_file() as path:
        remove_key(path, name)
    click.echo(json.dumps({"removed": name}) if as_json else f"Removed the key of {name}.")


@keys.command(name="list", epilog="Example: variet engine keys list --json")
@json_option
def show(*, as_json: bool) -> None:
    """Show whose keys there are, with their limits and without their secrets."""
    with _key_file() as path:
        infos = load_keys(path).infos
    if as_json:
        click.echo(json.dumps({"keys": [_facts(info) for info in infos]}))
        return
    for info in infos:
        limits = [
            *([f"tiers {','.join(info.tiers)}"] if info.tiers is not None else []),
            *(["read-only"] if info.is_read_only else []),
            *([f"priority {info.priority}"] if info.priority else []),
        ]
        click.echo("  ".join([info.name, info.id, *limits]))


def _facts(info: KeyInfo) -> dict[str, object]:
    return {"name": info.name, "id": info.id, "tiers": info.tiers, "read_only": info.is_read_only, "priority": info.priority}


@contextmanager
def _key_file() -> Iterator[Path]:
    try:
        yield Home.find().prepare().config_dir / KEY_FILE
    except SetupRefused as error:
        raise options.WrongSettings(error.message) from error
