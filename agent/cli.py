"""`variet serve`: the agent service as a command, in the foreground or (started by a front-end) for as long as it is needed."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

import anyio
import click
from pydantic import SecretStr

from agent.background import background_tasks
from agent.engine.child import ConfiguredEngine, EmbeddedEngine, EngineLink
from agent.errors import AgentError
from agent.facade import Facade
from agent.faces.mcp.door import mcp_door
from agent.gateway.token import gateway_token
from agent.late_import import late_import
from agent.local_time import find_zone
from agent.service.address import Address
from agent.service.door import Door
from agent.service.service import Service
from agent.service.settings_digest import digest_of
from agent.set_clock import set_clock
from config.credentials import CredentialError, read_key
from config.load import ConfigError, load_agent
from config.logs import set_up_logging
from config.paths import Home
from config.schema import AgentSettings

FAILED = 1
ENGINE_KEY = "engine_key"
"""The secret that an engine with keys wants to see; `variet engine keys add` makes one there."""
NOW_FORMATS = ("%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M")


@click.command(epilog="Exit codes: 0 ended as told, 1 could not start, 2 wrong usage.")
@click.option("--config", "settings_path", type=click.Path(path_type=Path, dir_okay=False), help="Instead of the home's agent.toml.")
@click.option("--on-demand", is_flag=True, help="Leave when nobody needs it any more; how front-ends start it.")
@click.option("--gateway-port", type=click.IntRange(0, 65535), help="Serve other programs at this port too; see `variet gateway`.")
@click.option("--mcp-port", type=click.IntRange(0, 65535), help="Serve MCP clients over HTTP at this port too; see `variet mcp-agent`.")
@click.option("--now", type=click.DateTime(NOW_FORMATS), hidden=True, help="Pretend that it is this time, for tests.")
def serve(
    settings_path: Path | None, *, on_demand: bool, gateway_port: int | None, mcp_port: int | None, now: datetime | None
) -> None:  # fmt: skip
    """Run the agent service, which `variet chat` and `variet ask` attach to.

    They start it themselves when it does not run, and it then leaves when the last of them has gone. In the foreground it stays
    until Ctrl-C: for a machine that is always on. With --gateway-port any program that speaks OpenAI's protocol reaches your models
    and the agent at that port of this machine; with --mcp-port MCP clients reach the agent over HTTP.
    """
    home = Home.find()
    try:
        settings = load_agent(settings_path, home=home)
        # Here already: a key that must not be used is told before anything is started.
        _read_key(home)
        engine = _engine(home, settings)
        door = Door(gateway_port, None if gateway_port is None else gateway_token(home.prepare()))
        mcp = mcp_door(home.prepare(), mcp_port)
        opener = partial(_open_runtime, home, settings, now, door, mcp)
        digest = digest_of(settings)
        service = Service(home, engine=engine, open_runtime=opener, settings_path=settings_path, digest=digest, door=door, mcp=mcp)
        anyio.run(lambda: service.run(stay=not on_demand, on_listening=_tell))
    except (AgentError, ConfigError, CredentialError) as error:
        click.echo(f"variet serve: {error}", err=True)
        sys.exit(FAILED)


def _read_key(home: Home) -> SecretStr | None:
    """The key of the engine, which the log does not show from then on."""
    key = read_key(ENGINE_KEY, home=home)
    set_up_logging("service", secrets=() if key is None else (key,))
    return key


def _engine(home: Home, settings: AgentSettings) -> EngineLink:
    if settings.engine.url is not None:
        return ConfiguredEngine(settings.engine.url)
    engine = EmbeddedEngine(home.prepare())
    # Before anything else is imported: it gets ready while this process still reads its own modules.
    engine.begin()
    return engine


@asynccontextmanager
async def _open_runtime(
    home: Home, settings: AgentSettings, now: datetime | None, door: Door, mcp: Door, engine: EngineLink
) -> AsyncGenerator[Facade]:
    # By name and in a thread: it takes a second, in which front-ends attach and the engine starts.
    session = await late_import("agent.sessions.session")
    gateway = await late_import("agent.gateway.app")
    read_key = partial(_read_key, home) if engine.own_key is None else engine.own_key
    zone = None if now is None else set_clock(find_zone(settings.agent.zone), now)
    async with (
        session.open_runtime(home, settings, engine_url=engine.url, engine_key=read_key, zone=zone) as runtime,
        gateway.open_gateway(engine, read_key, settings, runtime, runtime.router) as door.app,
        background_tasks() as tasks,
        AsyncExitStack() as more,
    ):
        if mcp.port is not None:
            face = await late_import("agent.faces.mcp.http")
            mcp.app = await more.enter_async_context(face.open_mcp(home))
        if settings.engine.url is None:
            # On Machine A it is not ours to say what should be in its memory.
            tasks.start_soon(runtime.warm)
        yield runtime


def _tell(address: Address) -> None:
    click.echo(f"The agent service listens at {address.url}. Ctrl-C ends it.", err=True)
    if address.gateway is not None:
        click.echo(f"Other programs reach it at {address.gateway}; `variet gateway` tells how.", err=True)
    if address.mcp is not None:
        click.echo(f"MCP clients reach the agent at {address.mcp}; `variet mcp-agent --token` prints their token.", err=True)
