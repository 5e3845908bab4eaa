"""`variet engine keys`: make and forget the keys of clients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from config.paths import Home
from inference.cli import EXIT_CODES
from inference.commands import options
from inference.errors import KeyFileRefused
from inference.keys import KEY_FILE, add_key, load_keys, remove_key


@click.group(epilog=EXIT_CODES)
def keys() -> None:
    """The keys of clients; once there is one, every client needs one."""


@keys.command(name="add", epilog="Example: variet engine keys add laptop")
@click.argument("name")
def add(name: str) -> None:
    """Make a key for the client NAME and show it, this once. A running engine takes it on at its next start."""
    with _key_file() as path:
        click.echo(add_key(path, name))


@keys.command(name="remove", epilog="Example: variet engine keys remove laptop")
@click.argument("name")
def remove(name: str) -> None:
    """Forget the key of the client NAME. A running engine does so at its next start."""
    with _key_file() as path:
        remove_key(path, name)
    click.echo(f"Removed the key of {name}.")


@keys.command(name="list")
def show() -> None:
    """Show whose keys there are."""
    with _key_file() as path:
        for name in load_keys(path).names:
            click.echo(name)


@contextmanager
def _key_file() -> Iterator[Path]:
    try:
        yield Home.find().prepare().config_dir / KEY_FILE
    except KeyFileRefused as error:
        raise options.WrongSettings(error.message) from error
