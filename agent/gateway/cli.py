"""`variet gateway`: where other programs reach your models and the agent, and the token that they show."""

from __future__ import annotations

import json
import sys

import click

from agent.gateway.token import gateway_token
from agent.service.address import Address
from agent.service.faults import ServiceError
from agent.service.home_use import prepared, writing_in
from config.credentials import CredentialError
from config.paths import Home

FAILED = 1
EPILOG = """\b
Examples:
  variet serve --gateway-port 8100        serve them, until Ctrl-C
  variet gateway                          where that is, and what to ask for
  export OPENAI_BASE_URL=http://127.0.0.1:8100/v1
  export OPENAI_API_KEY=$(variet gateway --token)

\b
Models that can be named:
  auto      the routing chooses a tier; the answer's headers say which and why
  variet    the agent with its tools and sessions
  NAME      a tier, a virtual or a physical name of the engine

Exit codes: 0 shown, 1 the token or the home cannot be used.
"""


@click.command(epilog=EPILOG)
@click.option("--token", "only_token", is_flag=True, help="Print the token and nothing else.")
@click.option("--json", "as_json", is_flag=True, help="Print the address, without the token, as one JSON object.")
def gateway(*, only_token: bool, as_json: bool) -> None:
    """Show how other programs reach this machine's models and the agent, in OpenAI's protocol.

    The token opens the gateway alone: no session can be read with it, and no approval answered.
    """
    home = Home.find()
    try:
        prepared(home)
        with writing_in(home):
            token = gateway_token(home).get_secret_value()
    except (ServiceError, CredentialError) as error:
        if as_json:
            code = error.code if isinstance(error, ServiceError) else "credential"
            click.echo(json.dumps({"error": {"code": code, "message": str(error)}}))
        else:
            click.echo(f"variet gateway: {error}", err=True)
        sys.exit(FAILED)
    address = Address.of_running(home)
    url = address.gateway if address is not None else None
    if only_token:
        click.echo(token)
    elif as_json:
        click.echo(json.dumps({"url": url, "models": ["auto", "variet"]}))
    elif url is None:
        click.echo("The gateway is not served now. Start it with: variet serve --gateway-port 8100")
    else:
        click.echo(f"The gateway is at {url}\nIts token: variet gateway --token\nModels: auto, variet, and every name of the engine.")
