"""What shares this machine's network is not read, however public its address looks."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import cast

import httpcore2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_servers.errors import Refusal
from mcp_servers.outside.destinations import NOT_PUBLIC
from mcp_servers.outside.fetching import Fetcher
from mcp_servers.searxng.neighbours import NoNeighbours, is_neighbour, own_address
from mcp_servers.searxng.pages import Pages
from tests.fakes import web as fake
from tests.fakes.web import PUBLIC, Resolver, ToLoopback
from tests.mcp_servers.calling import call

OWN = "2a02:8070:1:2::5"


@pytest.mark.parametrize(
    ("address", "own", "is_one"),
    [
        (PUBLIC, PUBLIC, True),
        (PUBLIC, "192.168.1.5", False),
        ("2a02:8070:1:2:ffff::1", OWN, True),
        (OWN, OWN, True),
        ("2a02:8070:1:3::1", OWN, False),
        ("2a02:8070:1:2::1", "fe80::1%eth0", False),
        (PUBLIC, OWN, False),
        (PUBLIC, "", False),
        ("example.org", OWN, False),
    ],
)
def test_a_neighbour_is_in_the_network_of_the_address_that_one_would_come_from(address: str, own: str, is_one: bool) -> None:
    assert is_neighbour(address, own) is is_one


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_all_of_a_network_are_neighbours(one: int, other: int) -> None:
    network = 0x2A02_8070_0001_0002 << 64
    here, there = (str(IPv6Address(network | low)) for low in (one, other))
    assert is_neighbour(there, here)
    assert not is_neighbour(str(IPv6Address((network ^ (1 << 64)) | other)), here)


async def test_a_page_next_door_is_not_fetched_by_name_nor_by_number() -> None:
    with fake.web(a=fake.page("<p>Hello</p>")) as site:
        network = ToLoopback(site.port)
        guarded = cast("httpcore2.AsyncNetworkBackend", NoNeighbours(network, lambda _: OWN))
        fetcher = Fetcher(Resolver([PUBLIC], printer_example=["2a02:8070:1:2::77"]), network=guarded)
        site.pages["/go"] = fake.status(302, Location="http://[2a02:8070:1:2::77]/a")
        for url in ("http://printer.example/a", "http://[2a02:8070:1:2::77]/a", "http://example.org/go"):
            with pytest.raises(Refusal, match=NOT_PUBLIC):
                await fetcher.fetch(url)
        assert network.dialled == [PUBLIC]
        assert (await fetcher.fetch("http://example.org/a")).content == b"<p>Hello</p>"


async def test_this_machine_knows_where_it_would_connect_from_and_the_tool_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert own_address("127.0.0.1") == "127.0.0.1"
    monkeypatch.setattr(NoNeighbours.__init__, "__defaults__", (None, str))
    with pytest.raises(Refusal, match=NOT_PUBLIC):
        await Pages().fetch_page(call(url=f"http://{PUBLIC}/"))
