"""`variet engine …`: run the engine, and ask a running one. Each command is loaded when it is called, so that asking stays quick.

Exit codes: 0 done, 1 the engine refused or could not, 2 wrong usage or wrong settings, 3 no engine answers.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping

import click

from config.extras import extra_needed

EXTRA = "engine,embedded"
"""Brings what they need."""
EXIT_CODES = "Exit codes: 0 done, 1 refused or failed, 2 wrong usage or settings, 3 no engine answers."
_COMMANDS: Mapping[str, str] = {
    "serve": "inference.commands.serve:serve",
    "status": "inference.commands.ask:status",
    "switch": "inference.commands.ask:switch",
    "unload": "inference.commands.ask:unload",
    "reload": "inference.commands.ask:reload_settings",
    "top": "inference.commands.top:top",
    "activity": "inference.commands.watch:activity",
    "swaps": "inference.commands.watch:swaps",
    "logs": "inference.commands.watch:logs",
    "bench": "inference.commands.bench:bench",
    "keys": "inference.commands.keys:keys",
    "mode": "inference.commands.mode:mode",
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        with extra_needed(f"`variet engine {cmd_name}`", EXTRA):
            command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.group(cls=_LazyGroup, epilog=EXIT_CODES)
def engine() -> None:
    """Run local models behind one port, and swap between them."""
