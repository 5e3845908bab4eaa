"""On a real metasearch server a search finds, and says which engine did not answer."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from mcp_servers.protocol.calls import Call, Outcome
from mcp_servers.searxng.server import Search
from tests.fakes.searx import has_searx, searx_in
from tests.mcp_servers.calling import NOW

pytestmark = pytest.mark.skipif(not has_searx(), reason="searx is not installed: Debian's python3-searx")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    with searx_in(tmp_path_factory.mktemp("searx")) as running:
        yield running


async def asked(url: str, tool: str, **arguments: Any) -> Outcome:
    done = await Search((url,)).handlers()[tool](Call(arguments, NOW))
    assert isinstance(done, Outcome)
    return done


async def test_what_is_found_is_told_with_the_engine_that_failed(url: str) -> None:
    found = await asked(url, "web_search", query="!away everest height")
    assert found.text == "1 result\n1. Mount Everest (example.org): 8,849 m, found for away everest height\nNo answer from: away"
    assert found.structured["removed"] == {"zero-width": 1}


async def test_the_engines_that_are_named_are_asked_and_no_others(url: str) -> None:
    parameters = {"engines": ("house",), "language": "en", "safe_search": "strict"}
    found = await asked(url, "metasearch", query="everest height", **parameters)
    assert "| 1. Mount Everest (house)\n|    https://example.org/everest\n|    8,849 m, found for everest height\n" in found.text
    assert [result["engines"] for result in found.structured["results"]] == [["house"]]
    assert found.structured["unresponsive_engines"] == []


async def test_the_engines_of_a_category_are_asked_and_the_one_that_fails_is_said_with_its_reason(url: str) -> None:
    found = await asked(url, "metasearch", query="everest", categories=("general",), engines=("away",))
    assert found.structured["count"] == 1
    [failed] = found.structured["unresponsive_engines"]
    assert failed["engine"] == "away"
    assert failed["reason"]
    assert "No answer from: away (" in found.text
