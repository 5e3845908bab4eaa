"""`variet engine serve`: run the engine in the foreground."""

from __future__ import annotations

import importlib.metadata
import logging
from pathlib import Path

import click

from config.logs import set_up_logging
from config.paths import Home
from inference.cli import EXIT_CODES
from inference.commands import options
from inference.door.bind import check_bind, is_loopback
from inference.door.keys import KEY_FILE, load_keys
from inference.errors import SetupRefused
from inference.mode.server import start_mode
from inference.reload import Origin
from inference.serve import Manners, run_engine

_FOR_OUR_PARENT = {"server.host": "127.0.0.1", "server.tls_cert": None, "server.tls_key": None}
"""Of an engine on a leash: it is its parent's alone, which is on this machine. The settings speak of the one that other machines reach."""


@click.command(epilog=f"Example: variet engine serve --port 8000\n\n{EXIT_CODES}")
@options.config
@click.option("--port", type=click.IntRange(0, 65535), help="Listen here instead of the settings' port; 0 takes a free one.")
@click.option("--port-file", type=click.Path(path_type=Path, dir_okay=False), help='Write {"url", "pid"} here once it listens.')
@click.option(
    "--leashed",
    is_flag=True,
    help="Listen on 127.0.0.1 only, and stop when standard input closes; for programs that start an engine of their own.",
)
@click.option("--verbose", is_flag=True, help="Log every request.")
def serve(config: Path | None, port: int | None, port_file: Path | None, *, leashed: bool, verbose: bool) -> None:
    """Run the engine in the foreground; Ctrl-C lets running requests finish, a second one does not."""
    home = Home.find()
    overrides: dict[str, object] = {} if port is None else {"server.port": port}
    if leashed:
        overrides |= _FOR_OUR_PARENT
    # Before the file is read, so that a change in between is noticed.
    origin = Origin(home, config, overrides)
    settings = options.settings_from(config, home, overrides)
    # A program that started us reads our words from a file; a person reads them on the screen.
    set_up_logging("engine", folder=home.log_dir if leashed else None, level=logging.INFO if verbose or leashed else logging.WARNING)
    try:
        if not leashed and not is_loopback(settings.server.host):
            # Nothing is started beside an engine that may not listen there.
            check_bind(settings.server, has_keys=not load_keys(home.config_dir / KEY_FILE).is_open)
            # Another machine asks for the mode before it asks us, and also while we are not there.
            start_mode(home.prepare(), settings, config)
        run_engine(settings, home, Manners(port_file, leashed), importlib.metadata.version("variet"), origin)
    except SetupRefused as error:
        raise options.WrongSettings(error.message) from error
