"""The agent service with the runtime in memory: `python -m tests.fakes.service_process [--stay] [--fail] [--engine]`."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio

from agent.engine.child import ConfiguredEngine, EmbeddedEngine, EngineLink
from agent.errors import AgentError
from agent.facade import Facade
from agent.service.address import Address
from agent.service.service import Service
from agent.service.settings_digest import digest_of
from config.load import load_agent
from config.paths import Home
from tests.fakes.runtime import open_fake_runtime


@asynccontextmanager
async def _open(engine: EngineLink) -> AsyncGenerator[Facade]:
    await engine.url()
    if "--fail" in sys.argv:
        raise AgentError("The tool server mail did not start.")
    async with open_fake_runtime() as runtime:
        yield runtime


def _ignore(_: Address) -> None:
    pass


def main() -> None:
    home = Home.find().prepare()
    engine: EngineLink = ConfiguredEngine("http://127.0.0.1:9")
    if "--engine" in sys.argv:
        engine = EmbeddedEngine(home, command=(sys.executable, "-m", "tests.fakes.leashed_engine"))
        engine.begin()
    try:
        service = Service(home, engine=engine, open_runtime=_open, digest=digest_of(load_agent(home=home)))
        anyio.run(lambda: service.run(stay="--stay" in sys.argv, on_listening=_ignore))
    except AgentError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
