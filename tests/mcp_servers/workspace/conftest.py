from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.mcp_servers.workspace.desk import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Generator[Desk]:
    with Desk(tmp_path) as desk:
        yield desk
