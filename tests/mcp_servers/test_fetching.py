"""A page of a stranger is fetched from the public web, within bounds, and from nowhere else."""

from __future__ import annotations

import gzip
import ssl
import zlib
from collections.abc import Generator
from pathlib import Path

import anyio
import pytest

from mcp_servers.errors import Refusal
from mcp_servers.outside.destinations import NOT_PUBLIC
from mcp_servers.outside.fetching import DAMAGED, TOO_BIG, TOO_SLOW, UNREACHABLE, Fetcher, Limits
from tests.fakes import web as fake
from tests.fakes.certificate import make_certificate
from tests.fakes.https_server import https_server
from tests.fakes.web import PUBLIC, Resolver, ToLoopback, Web

PAGE = Path(__file__).parents[2] / "docs" / "tools.md"
MIB = 1024 * 1024
QUICK = Limits(time_s=30, body_bytes=MIB)


@pytest.fixture
def site() -> Generator[Web]:
    with fake.web(a=fake.page("<p>Hello</p>")) as served:
        yield served


def fetcher(site: Web, resolver: Resolver | None = None, limits: Limits = QUICK) -> tuple[Fetcher, ToLoopback]:
    network = ToLoopback(site.port)
    return Fetcher(resolver or Resolver(), network=network, limits=limits), network


async def refusal(site: Web, url: str, resolver: Resolver | None = None, limits: Limits = QUICK) -> str:
    with pytest.raises(Refusal) as refused:
        await fetcher(site, resolver, limits)[0].fetch(url)
    return str(refused.value)


async def test_a_page_is_fetched_from_the_address_that_was_judged(site: Web) -> None:
    resolver = Resolver([PUBLIC, "2606:4700::1"])
    one, network = fetcher(site, resolver)
    got = await one.fetch("http://Example.org/a?q=1")
    assert (got.url, got.kind, got.charset, got.content) == ("http://example.org/a?q=1", "text/html", "utf-8", b"<p>Hello</p>")
    assert network.dialled == [PUBLIC]
    assert site.asked == [("example.org", "/a?q=1")]


async def test_a_name_that_changes_its_mind_gains_nothing(site: Web) -> None:
    resolver = Resolver([PUBLIC], ["127.0.0.1"])
    one, network = fetcher(site, resolver)
    await one.fetch("http://rebind.example/a")
    assert (resolver.looked_up, network.dialled) == (["rebind.example"], [PUBLIC])
    # The next fetch looks the name up anew, and is judged by what it says now.
    assert await _refused(one, "http://rebind.example/a") == NOT_PUBLIC
    assert network.dialled == [PUBLIC]


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], [PUBLIC, "10.0.0.1"], ["::ffff:169.254.169.254"], ["64:ff9b::7f00:1"], ["fe80::1%eth0"]]
)
async def test_a_name_for_something_inside_is_not_connected_to(site: Web, addresses: list[str]) -> None:
    one, network = fetcher(site, Resolver(addresses))
    assert await _refused(one, "http://inside.example/a") == NOT_PUBLIC
    assert network.dialled == []


@pytest.mark.parametrize(
    "location",
    ["http://127.0.0.1/a", "http://[::1]/a", "//localhost/a", "http://inside.example/a", "file:///etc/passwd", "http://2130706433/a"],
)
async def test_a_redirect_into_the_house_is_not_followed(site: Web, location: str) -> None:
    site.pages["/go"] = fake.status(302, Location=location)
    one, network = fetcher(site, Resolver([PUBLIC], **{"inside_example": ["192.168.1.1"]}))
    await _refused(one, "http://example.org/go")
    assert network.dialled == [PUBLIC]
    assert [path for _, path in site.asked] == ["/go"]


async def test_redirects_are_followed_a_few_times(site: Web) -> None:
    site.pages["/go"] = fake.status(301, Location="http://other.example/a")
    one, network = fetcher(site, Resolver(other_example=["1.1.1.1"]))
    assert (await one.fetch("http://example.org/go")).url == "http://other.example/a"
    assert network.dialled == [PUBLIC, "1.1.1.1"]
    site.pages["/round"] = fake.status(307, Location="/round")
    assert "without end" in await _refused(one, "http://example.org/round")
    assert [path for _, path in site.asked].count("/round") == QUICK.redirects + 1


async def test_no_cookie_is_kept_and_no_password_or_proxy_taken(site: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    one, _ = fetcher(site)
    for _ in range(2):
        await one.fetch("http://example.org/a")
    assert all("cookie" not in asked and "authorization" not in asked and "referer" not in asked for asked in site.headers)


async def test_a_dead_address_is_passed_over(site: Web) -> None:
    one, network = fetcher(site, Resolver(["1.1.1.1", PUBLIC]))
    network.dead = {"1.1.1.1"}
    assert (await one.fetch("http://example.org/a")).content
    network.dead = {"1.1.1.1", PUBLIC}
    assert await _refused(one, "http://example.org/a") == UNREACHABLE


async def test_packed_pages_are_unpacked_and_bombs_are_not(site: Web) -> None:
    site.pages["/packed"] = fake.page("x" * 1000, packing="gzip")
    site.pages["/bomb"] = fake.page(b"\0" * (200 * MIB // 8), packing="gzip")
    site.pages["/twice"] = fake.page(gzip.compress(gzip.compress(b"x" * MIB)), packing="br")
    site.pages["/torn"] = _sent(gzip.compress(b"x" * 5000)[:-8], "gzip")
    site.pages["/no"] = _sent(b"not packed at all", "gzip")
    site.pages["/deflate"] = _sent(zlib.compress(b"y" * 100), "deflate")
    one, _ = fetcher(site)
    assert (await one.fetch("http://example.org/packed")).content == b"x" * 1000
    assert (await one.fetch("http://example.org/deflate")).content == b"y" * 100
    assert await _refused(one, "http://example.org/bomb") == TOO_BIG
    for path in ("twice", "torn", "no"):
        assert await _refused(one, f"http://example.org/{path}") == DAMAGED


async def test_a_body_that_is_too_big_is_not_read_to_its_end(site: Web) -> None:
    site.pages["/endless"] = fake.without_end(lambda: site.is_over, b"x" * 65536)
    site.pages["/said"] = fake.page(b"x" * (MIB + 1))
    site.pages["/just"] = fake.page(b"x" * MIB)
    assert await refusal(site, "http://example.org/endless") == TOO_BIG
    assert await refusal(site, "http://example.org/said") == TOO_BIG
    assert len((await fetcher(site)[0].fetch("http://example.org/just")).content) == MIB


def test_the_bounds_are_those_that_the_page_of_the_tools_names() -> None:
    bounds = Limits()
    said = f"{bounds.time_s:.0f} seconds, redirects included, and {bounds.body_bytes // MIB} MiB, packed or not"
    assert said in PAGE.read_text(encoding="utf-8")
    assert (bounds.time_s, bounds.body_bytes, bounds.redirects) == (10, 5 * MIB, 5)


async def test_a_page_that_dribbles_is_given_up(site: Web) -> None:
    site.pages["/slow"] = fake.without_end(lambda: site.is_over, b"x", pause_s=0.02)
    assert await refusal(site, "http://example.org/slow", limits=Limits(time_s=0.6)) == TOO_SLOW

    def mute(_handler: object) -> None:
        site.is_over.wait(60)

    site.pages["/mute"] = mute
    assert await refusal(site, "http://example.org/mute", limits=Limits(time_s=0.6)) == TOO_SLOW


async def test_what_is_no_http_or_has_endless_headers_is_refused(site: Web) -> None:
    site.pages |= {"/headers": fake.huge_headers, "/garbage": fake.garbage}
    for path in ("headers", "garbage"):
        assert await refusal(site, f"http://example.org/{path}") == DAMAGED


@pytest.mark.parametrize(("code", "words"), [(404, "does not exist"), (403, "refuses"), (500, "fails"), (204, "no text"), (302, "no text")])
async def test_a_page_that_is_not_there_is_said(site: Web, code: int, words: str) -> None:
    site.pages["/x"] = fake.status(code)
    assert words in await refusal(site, "http://example.org/x")


async def test_a_body_of_a_kind_that_is_not_wanted_is_not_fetched(site: Web) -> None:
    def no_pictures(kind: str) -> None:
        if kind.startswith("image/"):
            raise Refusal("a picture")

    site.pages["/picture"] = fake.page(b"x" * 1000, "image/png")
    with pytest.raises(Refusal, match="a picture"):
        await Fetcher(Resolver(), network=ToLoopback(site.port), accepts=no_pictures).fetch("http://example.org/picture")


async def test_a_fetch_that_is_given_up_ends_at_once(site: Web) -> None:
    site.pages["/slow"] = fake.without_end(lambda: site.is_over, b"x", pause_s=0.02)
    one, network = fetcher(site)
    with anyio.move_on_after(1) as given_up:
        await one.fetch("http://example.org/slow")
    assert given_up.cancelled_caught
    assert network.dialled == [PUBLIC]


async def test_the_certificate_must_be_the_hosts_whatever_address_it_has(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path / "tls", address=PUBLIC)
    trusted = ssl.create_default_context(cafile=str(cert))
    with https_server(cert, key, "in private") as shown:
        network = ToLoopback(int(shown.url.rpartition(":")[2]))
        one = Fetcher(Resolver(), network=network, tls=trusted, limits=QUICK)
        assert (await one.fetch(f"https://{PUBLIC}/")).content == b"in private"
        # The same server behind a name that its certificate does not have.
        assert await _refused(one, "https://example.org/") == UNREACHABLE


async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path / "tls", address=PUBLIC)
    with https_server(cert, key, "x") as shown:
        strict = Fetcher(Resolver(), network=ToLoopback(int(shown.url.rpartition(":")[2])), limits=QUICK)
        assert await _refused(strict, f"https://{PUBLIC}/") == UNREACHABLE


async def _refused(one: Fetcher, url: str) -> str:
    with pytest.raises(Refusal) as refused:
        await one.fetch(url)
    return str(refused.value)


def _sent(body: bytes, packing: str) -> fake.Answer:
    return fake.page(body, packing=packing, is_packed=True)
