"""What several commands take, and how all of them fail."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from config.load import ConfigError, load_engine
from config.paths import Home
from config.plain import neutralise
from config.schema import EngineSettings

config = click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="Settings file instead of the home's engine.toml.")


class Failure(click.ClickException):
    """The engine refused, or could not."""

    exit_code = 1

    def format_message(self) -> str:
        # In the engine's words, which may be those of a model's process.
        return neutralise(super().format_message())


class WrongSettings(Failure):
    """What the person set up cannot be used."""

    exit_code = 2


class NoEngine(Failure):
    """Nobody answers, or somebody else."""

    exit_code = 3


def settings_from(path: Path | None, home: Home, overrides: Mapping[str, Any]) -> EngineSettings:
    """The engine's settings.

    Raises:
        WrongSettings: they cannot be used; the text names file, key and what is allowed.
    """
    try:
        return load_engine(path, overrides, home=home)
    except ConfigError as error:
        raise WrongSettings(str(error)) from error
