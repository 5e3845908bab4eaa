"""A service that is to stay takes a home's place from one that front-ends started for themselves, without ending a turn of anybody.

Such a one may be there because a front-end outlived the service that stayed before, and was quicker. It has no ports for other programs;
those who are attached to it attach to the next.
"""

from __future__ import annotations

from pathlib import Path

from agent.errors import AgentError
from agent.service.address import Address, own_version
from agent.service.client import ServiceClient, new_http_client
from config.paths import Home


async def ask_to_make_room(home: Home, settings: str | None) -> None:
    """Have a service on demand leave, if there is one and nothing runs in it; one with other settings is somebody's choice.

    Args:
        home: whose service.
        settings: the settings file of the one that is to stay; None for the home's own.
    """
    address = Address.of_running(home)
    if address is None or address.stays or address.version != own_version() or not _is_same(home, address.settings, settings):
        return
    client = ServiceClient(new_http_client(address), address)
    try:
        await client.shut_down(only_if_idle=True)
    except AgentError:
        # Something runs in it, or it is on its way out: whoever waits for the home looks again.
        pass
    finally:
        await client.close()


def _is_same(home: Home, theirs: str | None, ours: str | None) -> bool:
    """Whether two names mean one settings file."""
    return Path(theirs or home.agent_toml).resolve() == Path(ours or home.agent_toml).resolve()
