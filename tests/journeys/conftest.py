"""What journeys on a real server have: the kind of server, so that each is told once for every kind that is there."""

from __future__ import annotations

import pytest

from tests.journeys.servers import SERVERS, ServerKind


@pytest.fixture(scope="session", params=SERVERS, ids=[kind.name for kind in SERVERS])
def server(request: pytest.FixtureRequest) -> ServerKind:
    return request.param
