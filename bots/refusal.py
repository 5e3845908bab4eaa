"""How a command of the shell says that it could not do it: one line for a person, one JSON object for a program."""

from __future__ import annotations

import json

import click

from agent.errors import AgentError
from agent.service.faults import ServiceError, answer_for
from config.load import ConfigError
from config.plain import neutralise


def refuse(command: str, error: AgentError | ConfigError, *, as_json: bool) -> None:
    """Say it where whoever called looks for it: on standard error, as JSON on standard output."""
    if as_json:
        click.echo(json.dumps({"error": {"code": code_of(error), "message": str(error)}}))
    else:
        click.echo(f"variet {command}: {neutralise(str(error))}", err=True)


def code_of(error: AgentError | ConfigError) -> str:
    """The stable word for it."""
    if isinstance(error, ServiceError):
        return error.code
    return answer_for(error).code if isinstance(error, AgentError) else "config"
