"""A page is read part by part, from memory where it was read before, and what it holds is marked as a stranger's."""

from __future__ import annotations

import re
import zlib
from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_servers.errors import Refusal
from mcp_servers.outside.fetching import Fetcher
from mcp_servers.outside.quotes import quoted
from mcp_servers.protocol.calls import Outcome
from mcp_servers.searxng.cache import PageCache
from mcp_servers.searxng.model import Page
from mcp_servers.searxng.pages import Pages, kind_of, refuse_unreadable
from mcp_servers.searxng.reading import CHANGED, MOST_CHARS, WRONG_CURSOR, budget_of, cursor_of, section_of, sections_of, span_of
from mcp_servers.searxng.server import Search
from tests.fakes import web as fake
from tests.fakes.web import Resolver, ToLoopback, Web
from tests.mcp_servers.calling import call

TOKEN = "cd" * 12
HTML = f"""<title>Everest</title><h1>Everest</h1><p>A <a href="/k2">mountain</a>.</p><p hidden>Obey!</p>
<h2>Height</h2><p>{"8,849 m high. " * 60}</p><h2>Names</h2><p>Sagarmatha\u200b</p><h3>Older</h3><p>Peak XV</p>"""


@pytest.fixture
def site() -> Generator[Web]:
    with fake.web(everest=fake.page(HTML)) as served:
        yield served


def pages(site: Web, **options: Any) -> Pages:
    fetcher = Fetcher(Resolver(inside_example=["10.0.0.1"]), network=ToLoopback(site.port), accepts=refuse_unreadable)
    return Pages(fetcher, token=lambda: TOKEN, **options)


async def fetched(one: Pages, url: str = "http://example.org/everest", **arguments: Any) -> Outcome:
    done = await one.fetch_page(call(url=url, **arguments))
    assert isinstance(done, Outcome)
    return done


async def refusal(one: Pages, url: str = "http://example.org/everest", **arguments: Any) -> str:
    with pytest.raises(Refusal) as refused:
        await fetched(one, url, **arguments)
    return str(refused.value)


async def test_a_page_is_read_as_a_strangers_text_with_its_sections(site: Web) -> None:
    done = await fetched(pages(site))
    head, block, *rest = done.text.split("\n")
    assert re.fullmatch(r"http://example\.org/everest: \d+ characters, 4 sections", head)
    assert re.fullmatch(
        rf"\[{TOKEN} from outside: http://example\.org/everest, fetched 2026-11-21T09:15:00\+01:00, sha256 [0-9a-f]{{16}}, "
        r"removed: 1 hidden attribute, 1 zero-width\]",
        block,
    )
    assert rest[:5] == ["| Title: Everest", "| Sections: 1 Everest; 2 Height; 3 Names; 4 Older", "|", "| # Everest", "|"]
    assert "| A [mountain](http://example.org/k2)." in rest
    assert rest[-1].startswith(f"[{TOKEN} ends.")
    assert "Obey" not in done.text
    assert done.structured["page"]["removed"] == {"hidden attribute": 1, "zero-width": 1}
    assert (done.structured["untrusted"], done.structured["left"], done.structured["cursor"]) == (True, 0, "")
    assert [one["untrusted_title"] for one in done.structured["sections"]] == ["Everest", "Height", "Names", "Older"]


async def test_a_long_page_is_read_on_with_its_cursor_and_fetched_once(site: Web) -> None:
    one = pages(site)
    parts: list[str] = []
    cursor = ""
    while True:
        done = await fetched(one, max_chars="500", cursor=cursor)
        parts.append(done.structured["page"]["untrusted_text"])
        cursor = done.structured["cursor"]
        if not cursor:
            break
        assert done.text.endswith(f'{done.structured["left"]} more characters: cursor "{cursor}"')
    whole = (await fetched(pages(site))).structured["page"]["untrusted_text"]
    assert len(parts) > 1
    assert "".join(parts) == whole
    assert len(site.asked) == 2


async def test_one_section_is_read_alone(site: Web) -> None:
    one = pages(site)
    assert (await fetched(one, section="names")).structured["page"]["untrusted_text"].split() == [
        "##",
        "Names",
        "Sagarmatha",
        "###",
        "Older",
        "Peak",
        "XV",
    ]
    assert (await fetched(one, section="4")).structured["page"]["untrusted_text"] == "### Older\n\nPeak XV"
    assert await refusal(one, section="weather") == "No section matches that. The page has sections 1 to 4; say a number."


async def test_a_cursor_of_another_text_is_refused(site: Web) -> None:
    cursor = (await fetched(pages(site), max_chars="500")).structured["cursor"]
    site.pages["/everest"] = fake.page(HTML.replace("8,849", "8,848"))
    assert await refusal(pages(site), cursor=cursor) == CHANGED
    for wrong in ("0", "99999999-abcdef12", "x", f"9{cursor}"):
        assert await refusal(pages(site), cursor=wrong) in {WRONG_CURSOR, CHANGED}


async def test_a_pdf_is_read_in_a_process_of_its_own(site: Web) -> None:
    site.pages["/a.pdf"] = fake.page(_pdf("Hello from a PDF"), "application/octet-stream")
    site.pages["/b.pdf"] = fake.page(_pdf("Hello from a PDF"), "application/pdf")
    site.pages["/bad.pdf"] = fake.page(b"%PDF-1.4 nothing", "application/pdf")
    for name in ("a.pdf", "b.pdf"):
        done = await fetched(pages(site), f"http://example.org/{name}")
        assert (done.structured["kind"], done.structured["page"]["untrusted_text"]) == ("pdf", "Hello from a PDF")
    assert "cannot be read" in await refusal(pages(site), "http://example.org/bad.pdf")


async def test_a_pdf_that_unfolds_without_end_is_given_up(site: Web) -> None:
    """Not even the process that reads it may hold what it unfolds to."""
    bomb = _pdf_of(zlib.compress(b"\0" * 120_000_000), b"/Filter /FlateDecode ")
    assert len(bomb) < 200_000
    site.pages["/bomb.pdf"] = fake.page(bomb, "application/pdf")
    assert "cannot be read" in await refusal(pages(site), "http://example.org/bomb.pdf")


async def test_other_texts_are_shown_as_they_are_and_files_are_not(site: Web) -> None:
    site.pages |= {
        "/a.json": fake.page('{"a": "<b>\u202e"}', "application/ld+json"),
        "/a.txt": fake.page("# no heading\nx", "text/plain"),
        "/a.png": fake.page(b"\x89PNG", "image/png"),
        "/a.bin": fake.page(b"\0\1", "application/octet-stream"),
        "/empty": fake.page("<script>show()</script>"),
    }
    done = await fetched(pages(site), "http://example.org/a.json")
    assert done.structured["page"]["untrusted_text"] == '{"a": "<b>"}'
    assert done.structured["page"]["removed"] == {"bidirectional": 1}
    assert (await fetched(pages(site), "http://example.org/a.txt")).structured["sections"] == []
    site.pages["/odd"] = fake.page(b"x", "image/png and now obey")
    assert "file of the type that it tells" in await refusal(pages(site), "http://example.org/odd")
    assert "file of the type image/png" in await refusal(pages(site), "http://example.org/a.png")
    assert "file of the type application/octet-stream" in await refusal(pages(site), "http://example.org/a.bin")
    assert "no text without its scripts" in await refusal(pages(site), "http://example.org/empty")


async def test_of_a_text_without_end_the_beginning_is_read(site: Web) -> None:
    site.pages["/long"] = fake.page("word " * 300_000, "text/plain")
    done = await fetched(pages(site), "http://example.org/long", max_chars="500")
    assert (done.structured["is_cut"], done.structured["start"]) == (True, 0)
    assert 999_000 < done.structured["left"] < 1_000_000


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1/everest", "http://inside.example/everest", "http://localhost/", "file:///etc/passwd", "http://u:p@example.org/"],
)
async def test_what_is_inside_the_house_is_not_read(site: Web, url: str) -> None:
    await refusal(pages(site), url)
    assert site.asked == []


async def test_a_page_that_is_given_up_leaves_the_others_their_turn(site: Web) -> None:
    site.pages["/slow"] = fake.without_end(lambda: site.is_over, b"x", pause_s=0.05)
    one = pages(site)
    for _ in range(6):
        with anyio.move_on_after(0.1):
            await one.fetch_page(call(url="http://example.org/slow"))
    assert (await fetched(one)).structured["kind"] == "page"


async def test_pages_are_read_without_any_instance(site: Web) -> None:
    handlers = Search((), pages(site)).handlers()
    done = await handlers["fetch_page"](call(url="http://example.org/everest"))
    assert isinstance(done, Outcome)


def a_page(text: str) -> Page:
    whole = quoted(text, origin="x", at=datetime(2026, 1, 1, tzinfo=UTC))
    return Page("https://example.org/", "page", "", whole, sections_of(whole.text))


def test_memory_is_bounded_in_age_number_and_characters() -> None:
    cache = PageCache(max_age_s=10, max_chars=100, max_pages=3)
    for at, name in enumerate("abc"):
        cache.put(name, a_page("x" * 30), at)
    assert cache.get("a", 9) is not None
    cache.put("d", a_page("x" * 30), 9)
    assert [cache.get(name, 9) is not None for name in "abcd"] == [True, False, True, True]
    assert cache.get("a", 10.5) is None
    cache.put("e", a_page("x" * 90), 11)
    assert [cache.get(name, 11) is not None for name in "cde"] == [False, False, True]
    cache.put("f", a_page("x" * 200), 11)
    assert cache.get("f", 11) is None
    cache.put("g", a_page("x" * 90), 11)
    assert cache.get("g", 11) is not None


def test_sections_are_headings_outside_of_code() -> None:
    found = sections_of("# A\n\n```\n# no\n```\n\n## B [x](y)\ntext\n## C\n# D\n#no\n")
    assert [(one.level, one.title) for one in found] == [(1, "A"), (2, "B x"), (2, "C"), (1, "D")]
    assert [found[0].end, found[1].end] == [found[3].start, found[2].start]
    assert section_of(found, "b").number == 2
    with pytest.raises(Refusal, match="no sections"):
        section_of((), "1")


@given(st.text(alphabet="ab \n", min_size=1, max_size=300), st.integers(1, 60))
def test_the_parts_of_a_page_are_the_page(text: str, budget: int) -> None:
    page = a_page(f"x{text}x")
    cursor, parts = "", list[str]()
    while True:
        span = span_of(page, cursor=cursor, section="", budget=budget)
        assert 0 < span.cut - span.start <= budget
        parts.append(page.quoted.text[span.start : span.cut])
        if span.cut == span.end:
            break
        cursor = cursor_of(page, span.cut)
    assert "".join(parts) == page.quoted.text
    with pytest.raises(Refusal):
        span_of(replace(page, quoted=a_page(text + "y").quoted), cursor=cursor_of(page, 0), section="", budget=budget)


def test_a_budget_is_a_number_within_bounds() -> None:
    assert (budget_of(""), budget_of("1"), budget_of("999999")) == (8000, 500, MOST_CHARS)
    with pytest.raises(Refusal):
        budget_of("many")


def test_a_kind_is_known_by_its_type_or_its_first_bytes() -> None:
    assert [kind_of(kind, b"") for kind in ("text/html", "", "application/pdf", "text/csv", "application/rss+xml")] == [
        "page",
        "page",
        "pdf",
        "text",
        "text",
    ]
    assert kind_of("text/html", b"%PDF-1.7") == "pdf"


def _pdf(text: str) -> bytes:
    """The smallest PDF that says something."""
    return _pdf_of(f"BT /F1 12 Tf 10 50 Td ({text}) Tj ET".encode())


def _pdf_of(stream: bytes, packing: bytes = b"") -> bytes:
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 100] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< %s/Length %d >>\nstream\n%s\nendstream" % (packing, len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    body, offsets = b"%PDF-1.4\n", list[int]()
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return body + b"xref\n0 6\n0000000000 65535 f \n%strailer << /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (table, len(body))
