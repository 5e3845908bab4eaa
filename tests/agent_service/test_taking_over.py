"""A service that is to stay takes the place of one on demand: its front-ends go over to it, and no turn is ended for it."""

from __future__ import annotations

import os

import anyio
import pytest

from agent.launch import is_running
from agent.service.address import Address
from agent.service.faults import ServiceError
from config.paths import Home
from tests.agent_service.conftest import FAKE_SERVICE, Attach, wait_ended

pytestmark = pytest.mark.anyio
BOUND_S = 60.0


async def test_front_ends_of_a_service_on_demand_go_over_to_one_that_stays(attached: Attach, home: Home) -> None:
    with anyio.fail_after(BOUND_S):
        command, environment = [*FAKE_SERVICE, "--stay"], {**os.environ, **home.environment()}
        async with attached() as old, await anyio.open_process(command, env=environment) as stays:
            try:
                await old.gone.wait()
                async with attached() as new:
                    assert (new.address.pid, new.address.stays) == (stays.pid, True)
                    assert Address.read(home) == new.address
            finally:
                stays.terminate()
        await wait_ended(old.address.pid)


async def test_a_service_in_which_a_turn_runs_makes_no_room(attached: Attach) -> None:
    with anyio.fail_after(BOUND_S):
        async with attached() as service:
            session = await service.open_session()
            async with service.listening(session) as events:
                await service.send(session, "slow", who="cli")
                with pytest.raises(ServiceError, match="A turn is running"):
                    await service.shut_down(only_if_idle=True)
                assert is_running(service.address.pid)
                await service.cancel(session, who="cli")
                async for event in events:
                    if event.type == "turn_cancelled":
                        break
            await service.shut_down(only_if_idle=True)
            await service.gone.wait()
        await wait_ended(service.address.pid)
