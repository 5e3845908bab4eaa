"""Options of a group that is a command as well: before one of its subcommands they would be taken and do nothing."""

from __future__ import annotations

import click
from click.core import ParameterSource


def refuse_options_before(context: click.Context) -> None:
    """Refuse what was given to the group and is meant for what comes behind it; nothing where the group itself is run.

    Raises:
        click.UsageError: with how it is written.
    """
    name = context.invoked_subcommand
    group = context.command
    if name is None or not isinstance(group, click.Group):
        return
    given = [each for each in group.params if each.name and context.get_parameter_source(each.name) is ParameterSource.COMMANDLINE]
    if not given:
        return
    option = given[0].opts[0]
    command = group.get_command(context, name)
    has_it = command is not None and any(option in each.opts for each in command.params)
    where = f"{context.command_path} {name}"
    hint = f"Write it behind: {where} {option} …" if has_it else f"`{where}` has no {option}."
    raise click.UsageError(f"{option} before `{name}` means nothing. {hint}", context)
