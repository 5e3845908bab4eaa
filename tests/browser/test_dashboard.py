"""The dashboard in a real Chromium, on an engine with a real port: what a person sees, presses and is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from inference.activity.finished import Finished
from inference.activity.model_logs import log_path
from inference.cards.card import Card
from inference.contract import ModelRates
from inference.dashboard.page import PAGE, load_page
from inference.door.keys import Keys, add_key, load_keys
from inference.mode.obey import ObeyedMode
from tests.browser.chromium import Page, chromium, find_chromium
from tests.fakes.children import FIRST_PID
from tests.inference.engines import RunningEngine, running

PICTURES = Path(__file__).resolve().parents[2] / "build" / "screenshots"
"""Kept for whoever wants to look; git ignores it."""
PROGRAM = find_chromium()
needs_chromium = pytest.mark.skipif(PROGRAM is None, reason="there is no Chromium on this machine")
NASTY = '<img src=x onerror="document.title=1">'
PAST = [
    Finished("req-1", "laptop", "small", "fast", 0.02, 0.0, 0.31, 1204, 1100, 184, 41.7, "ok", None, 200, 999, 5.0),
    Finished("req-2", "phone", "large", "balanced", 0.4, 6.8, 7.92, 3870, None, 412, 18.2, "ok", None, 200, 999, 31.0),
    Finished("req-3", "laptop", "large", "balanced", 1.2, 0.0, 2.1, None, None, None, None, "client_gone", None, 200, 99, 4.0),
    Finished("req-4", NASTY, None, None, 0.0, 0.0, None, None, None, None, None, "refused", "model_not_found", 404, 0, 0.0),
]
CARDS = (
    Card(0, "Example 12 GB", "GPU-0", 12288, 3070, {FIRST_PID: 8900}),
    Card(1, "Example 12 GB", "GPU-1", 12288, 11800),
)


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    assert PROGRAM is not None
    with chromium(PROGRAM, tmp_path) as page:
        yield page


def _one_key(folder: Path) -> tuple[Keys, str]:
    key = add_key(folder / "engine.keys", "laptop")
    return load_keys(folder / "engine.keys"), key


async def _in_thread(work: Callable[[], None]) -> None:
    await anyio.to_thread.run_sync(work)


def _furnish(on: RunningEngine) -> None:
    """A past for the page to show."""
    for finished in PAST:
        on.observatory.observe(finished)
    on.observatory.rates.record(on.supervisor.catalog.models["small"], ModelRates(prefill_tps=1840.0, decode_tps=42.0, load_s=3.1))
    lines = [
        "llama_model_loader: loaded meta data",
        "load_tensors: offloaded 33/33 layers to GPU",
        NASTY,
        "srv  update_slots: all slots are idle",
    ]
    log_path(on.observatory.log_dir, "small").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _text(page: Page, selector: str) -> str:
    return page.value(f"document.querySelector('{selector}').innerText")


def _tab_to(page: Page, name: str) -> None:
    """Reach a button with the keyboard alone."""
    for _ in range(40):
        page.press("Tab", 9)
        if page.value("document.activeElement.getAttribute('aria-label') || document.activeElement.id") == name:
            return
    raise AssertionError(f"{name} cannot be reached with Tab")


@needs_chromium
@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_person_sees_the_engine_and_loads_and_unloads_with_the_keyboard(tmp_path: Path, page: Page) -> None:
    async with running(tmp_path, bound_s=100, look=lambda: CARDS, mode=ObeyedMode(tmp_path / "mode.json")) as (on, _, children):
        children.loads_at_once = False
        _furnish(on)

        def before() -> None:
            page.size(1180, 900)
            page.open(on.url)
            page.until("document.querySelectorAll('#models > li').length === 2 && document.querySelectorAll('#activity tr').length === 4")
            page.until("document.querySelectorAll('#gpus > li').length === 2 && document.getElementById('log').childElementCount >= 4")
            assert "refused: model not found" in _text(page, "#activity")
            assert NASTY in _text(page, "#activity")
            assert NASTY in _text(page, "#log")
            assert page.value("document.querySelectorAll('img').length") == 0
            _tab_to(page, "Load large")
            page.press("Enter", 13)
            page.until("!document.getElementById('swap').hidden && document.getElementById('swap-model').innerText === 'large'")
            page.until("[...document.querySelectorAll('#models .state')].some((state) => state.innerText === 'loading')")
            page.until("document.getElementById('swap-why').innerText === 'a switch or load asked for it'")
            for scheme in ("light", "dark"):
                page.scheme(scheme)
                page.screenshot(PICTURES / f"dashboard-{scheme}.png")
            page.size(390, 844, is_phone=True)
            page.until("document.documentElement.scrollWidth <= 390")
            page.screenshot(PICTURES / "dashboard-phone.png")
            page.size(1180, 900)

        def after() -> None:
            page.until("document.getElementById('swap').hidden")
            page.until("document.querySelector('[aria-label=\"Unload large\"]').disabled === false")
            page.until("document.getElementById('swaps').innerText.includes('a switch or load asked for it')")
            page.until("document.querySelectorAll('#models > li')[1].innerText.includes('Loaded because a switch or load asked for it')")
            page.until("document.querySelector('#gpus > li').innerText.includes('large 8.7 GiB')")
            _tab_to(page, "Unload large")
            page.press("Enter", 13)
            page.until("[...document.querySelectorAll('#models .state')].every((state) => state.innerText === 'unloaded')")
            page.until("document.querySelectorAll('#models > li')[1].innerText.includes('Gone because the model was unloaded')")
            assert page.complaints == []

        await _in_thread(before)
        children.started[-1].load()
        await _in_thread(after)


@needs_chromium
@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_key_is_asked_for_only_where_one_is_needed_and_stays_in_the_tab(tmp_path: Path, page: Page) -> None:
    keys, key = _one_key(tmp_path)
    async with running(tmp_path, bound_s=100, keys=keys) as (on, _, _):

        def use() -> None:
            page.open(on.url)
            page.until("!document.getElementById('key-form').hidden && document.activeElement.id === 'key'")
            assert page.value("document.getElementById('shown').hidden") is True
            page.write("wrong")
            page.press("Enter", 13)
            page.until("document.getElementById('link').innerText === 'this key is not known'")
            page.write(key)
            page.press("Enter", 13)
            page.until("!document.getElementById('shown').hidden && document.querySelectorAll('#models > li').length === 2")
            assert page.value("localStorage.length + document.cookie.length") == 0
            assert page.value("sessionStorage.getItem('key')") == key

        await _in_thread(use)


@needs_chromium
@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_key_that_is_limited_sees_the_logs_that_it_may_read_and_why_it_sees_no_other(tmp_path: Path, page: Page) -> None:
    key = add_key(tmp_path / "engine.keys", "phone", tiers=("fast",))
    async with running(tmp_path, bound_s=100, keys=load_keys(tmp_path / "engine.keys")) as (on, _, _):
        _furnish(on)

        def use() -> None:
            page.open(on.url)
            page.until("!document.getElementById('key-form').hidden && document.activeElement.id === 'key'")
            page.write(key)
            page.press("Enter", 13)
            page.until("document.getElementById('log').innerText.includes('all slots are idle')")
            page.value("follow('large')")
            page.until("document.getElementById('log').innerText.startsWith('The key of phone may not use')")
            assert "It may use: fast" in _text(page, "#log")
            assert "idle" not in _text(page, "#log")

        await _in_thread(use)


@needs_chromium
@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_person_sees_what_the_machine_is_lent_to_and_what_cannot_be_loaded(tmp_path: Path, page: Page) -> None:
    mode = ObeyedMode(tmp_path / "mode.txt")
    async with running(tmp_path, bound_s=100, look=lambda: CARDS, mode=mode) as (on, _, _):
        on.supervisor.lend({1: 3072})
        await anyio.Path(on.supervisor.catalog.models["large"].path).unlink()

        def use() -> None:
            page.open(on.url)
            page.until("document.querySelectorAll('#gpus > li').length === 2")
            page.until("document.getElementById('lent').innerText.startsWith('GPU 1 is lent to another program, which has taken 3.0 GiB')")
            page.until("document.querySelectorAll('#gpus > li')[1].innerText.includes('lent to another program')")
            assert "lent" not in _text(page, "#gpus > li")
            page.until("document.querySelectorAll('#models > li')[1].innerText.includes('large.gguf is not there')")
            assert "Cannot be loaded: another program has taken 3072 MiB on GPU 1" in _text(page, "#models > li")
            page.value("document.getElementById('mode').click()")
            page.until("document.getElementById('lent').innerText.startsWith('Gaming mode: this machine is lent to a game')")
            page.screenshot(PICTURES / "dashboard-lent.png")
            page.until("!document.getElementById('mode').disabled")
            page.value("document.getElementById('mode').click()")
            page.until("document.getElementById('lent').innerText.startsWith('GPU 1')")
            assert page.complaints == []

        await _in_thread(use)
        on.supervisor.lend({})
        await _in_thread(lambda: page.until("document.getElementById('lent').hidden"))


@needs_chromium
@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_page_that_nobody_sees_holds_no_connection_and_one_behind_a_proxy_says_what_is_true(tmp_path: Path, page: Page) -> None:
    async with running(tmp_path, bound_s=100) as (on, _, _):
        _furnish(on)

        def use() -> None:
            page.open(on.url)
            page.until("document.getElementById('log').childElementCount >= 4")
            seen = "document.dispatchEvent(new Event('visibilitychange'))"
            hidden = f"Object.defineProperty(document, 'hidden', {{{{ value: {{}}, configurable: true }}}}); {seen}"
            page.value(hidden.format("true"))
            assert page.value("seen.log.signal.aborted") is True
            page.value(hidden.format("false"))
            page.until("!seen.log.signal.aborted && document.getElementById('log').childElementCount >= 4")
            page.value("window.asked = fetch; fetch = async () => new Response('<h1>Bad Gateway</h1>', { status: 502 }); 0")
            page.until("document.getElementById('link').innerText === 'no engine answers (HTTP 502)'")
            assert page.value("document.getElementById('notice').hidden") is True
            page.value("fetch = window.asked; 0")
            page.until("document.getElementById('link').innerText === 'running'")
            assert page.value("when(Date.now() / 1000 - 3 * 86400).length > when(Date.now() / 1000).length") is True
            assert page.value("seconds(119.7)") == "2 min 0 s"
            # Two looks at once bring the same rows; what the engine fails at beside its status does not make it one that is gone.
            page.value("showActivity({ requests: seen.rows.slice(0, 2), enabled: true }); 0")
            assert page.value("seen.rows.length > 2 && seen.rows.length === new Set(seen.rows.map((each) => each.id)).size") is True
            assert page.value("failedAround(new Refused(500, 'A mistake.', true)), at('link').dataset.state") == "ok"

        await _in_thread(use)


async def test_the_page_is_served_under_a_policy_that_runs_only_its_own_script(tmp_path: Path) -> None:
    keys, _ = _one_key(tmp_path)
    async with running(tmp_path, keys=keys) as (on, _, _):
        answer = await on.client.get("/")
        assert (await on.client.post("/")).status_code == 401
    policy = answer.headers["content-security-policy"]
    assert answer.status_code == 200
    assert policy.count("'sha256-") == 2
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.content == load_page().body


def test_the_page_loads_nothing_from_elsewhere_and_writes_no_markup() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for forbidden in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "src=",
        "@import",
        "https://",
        'style="',
        "localStorage",
        "/engine/events",  # a stream that never ends, beside that of the log: a browser opens six connections over all its tabs
    ):
        assert forbidden not in text
