"""What the engine shows of itself: metrics, activity, logs that follow; and that watching never costs a request."""

from __future__ import annotations

import json
import sqlite3
import stat
import sys
from dataclasses import replace
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from inference.activity import log as activity_log
from inference.activity.finished import Finished
from inference.activity.log import QUEUED, ActivityLog, NoActivityLog
from inference.activity.model_logs import LogTail, log_path
from inference.cards.card import Card
from inference.door.keys import Keys, add_key, load_keys
from inference.memory_use import family_mib
from inference.observing.exposition import Family, Histogram, Sample, page
from tests.fakes.children import FIRST_PID
from tests.inference.engines import ASKED, error_of, running

ONE = Finished("req-1", "laptop", "small", "fast", 0.5, 1.5, 2.25, 10, 4, 20, 33.3, "ok", None, 200, 999, 3.0)
DAY_S = 86400.0


def lines_of(text: str) -> dict[str, float]:
    """A Prometheus page, by sample."""
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if not line.startswith("#")}


async def test_metrics_count_requests_loads_and_tokens_and_name_no_text_of_a_client(tmp_path: Path) -> None:
    async with running(tmp_path) as (on, _, _):
        await on.client.post("/v1/embeddings", json={"model": "fast"})
        await on.client.post("/v1/embeddings", json={"model": "made-up-by-a-client"})
        on.observatory.observe(ONE)
        answer = await on.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "made-up" not in answer.text
    found = lines_of(answer.text)
    assert found['variet_requests_total{model="small",key="",outcome="ok",code=""}'] == 1
    assert found['variet_requests_total{model="",key="",outcome="refused",code="model_not_found"}'] == 1
    assert found['variet_swap_seconds_count{model="small"}'] == 1
    assert found['variet_tokens_total{model="small",key="laptop",kind="completion"}'] == 20
    assert found['variet_first_token_seconds_bucket{model="small",le="2.5"}'] == 1
    assert found['variet_first_token_seconds_bucket{model="small",le="1"}'] == 0
    assert found['variet_model_loaded{model="small"}'] == 1
    assert found['variet_model_loaded{model="large"}'] == 0
    if sys.platform == "linux":
        assert found['variet_resident_memory_bytes{process="engine"}'] > 2**20


async def test_a_models_own_metrics_are_asked_for_by_its_name(tmp_path: Path) -> None:
    async with running(tmp_path, keys=_limited(tmp_path)) as (on, upstream, _):
        on.client.headers["authorization"] = f"Bearer {(tmp_path / 'shown').read_text(encoding='utf-8')}"
        # Nothing is loaded for who only counts.
        answer = await on.client.get("/metrics?model=fast")
        assert error_of(answer) == (400, "invalid_request")
        assert "small is not loaded" in answer.text
        assert on.supervisor.status_of("small").loads == 0
        assert error_of(await on.client.get("/metrics?model=balanced")) == (403, "tier_not_allowed")
        await on.client.post("/v1/embeddings", json={"model": "fast"})
        assert (await on.client.get("/metrics?model=fast")).json() == {"ok": True}
        assert upstream.heard[-1].target == "/metrics"
        await _records(on.observatory.log, 1)
        assert [each.asked_as for each in (await on.observatory.log.page(limit=9, after=0)).requests] == ["fast"]

        upstream.script = lambda exchange: exchange.json(b'{"error": {"code": 501}}', "501 Not Implemented")
        answer = await on.client.get("/metrics?model=fast")
        assert error_of(answer) == (404, "route_not_found")
        assert 'Put extra_args = ["--metrics"] under [models.small]' in answer.json()["error"]["message"]


def _limited(folder: Path) -> Keys:
    """A key for `fast` alone, which lies in the file `shown`."""
    (folder / "shown").write_text(add_key(folder / "engine.keys", "counter", tiers=("fast",)), encoding="utf-8")
    return load_keys(folder / "engine.keys")


def test_a_page_of_metrics_is_in_the_form_that_scrapers_read() -> None:
    spread = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 9.0):
        spread.observe(value)
    families = [
        Family("a_total", "counter", "Says \\ and\nmore.", [Sample(2, {"name": 'a "b" \\ c\n'})]),
        Family("b", "histogram", "Spread.", spread.samples({})),
        Family("c", "gauge", "Nothing.", []),
    ]
    assert page(families) == (
        "# HELP a_total Says \\\\ and\\nmore.\n# TYPE a_total counter\n"
        'a_total{name="a \\"b\\" \\\\ c\\n"} 2\n'
        "# HELP b Spread.\n# TYPE b histogram\n"
        'b_bucket{le="1"} 2\nb_bucket{le="2"} 3\nb_bucket{le="+Inf"} 4\nb_sum 12\nb_count 4\n'
    )


async def test_a_finished_request_is_in_the_activity_log(tmp_path: Path) -> None:
    async with running(tmp_path) as (on, _, _):
        await on.client.post("/v1/embeddings", json={"model": "fast", "input": "a word that nobody may keep"})
        # A request is recorded when its answer has gone out, which is after the client has it.
        await _records(on.observatory.log, 1)
        on.observatory.observe(ONE)
        while len((found := (await on.client.get("/engine/activity?limit=5")).json())["requests"]) < 2:  # noqa: ASYNC110 - a thread writes it, and tells nobody
            await anyio.sleep(0.01)
        newest, oldest = found["requests"]
        after = (await on.client.get(f"/engine/activity?after={oldest['id']}")).json()["requests"]
        wrong = [await on.client.get(f"/engine/activity?{query}") for query in ("limit=0", "limit=501", "after=x", f"after={2**63}")]
    assert (newest["request"], newest["key"], newest["first_token_s"], newest["outcome"]) == ("req-1", "laptop", 2.25, "ok")
    assert (oldest["model"], oldest["asked_as"], oldest["status"]) == ("small", "fast", 200)
    assert after == [newest]
    assert found["enabled"] is True
    assert found["lost"] == 0
    assert [error_of(each) for each in wrong] == [(400, "invalid_request")] * 4
    assert b"nobody may keep" not in b"".join(file.read_bytes() for file in (tmp_path / "home").rglob("*") if file.is_file())


async def _records(log: ActivityLog | NoActivityLog, count: int) -> list[str]:
    while len(found := (await log.page(limit=100, after=0)).requests) < count:  # noqa: ASYNC110 - a thread writes it, and tells nobody
        await anyio.sleep(0.01)
    return [each.request for each in found]


async def test_records_older_than_the_retention_go_when_the_engine_starts_again(tmp_path: Path) -> None:
    path = tmp_path / "activity.sqlite3"
    for request, at in (("old", 0.0), ("new", 1.5 * DAY_S)):
        log = ActivityLog(path, 1, lambda at=at: at)
        log.start()
        log.record(replace(ONE, request=request))
        await anyio.to_thread.run_sync(log.close)
    assert await _records(log, 1) == ["new"]


async def test_a_record_that_is_too_old_goes_also_while_nobody_asks_for_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activity_log, "IDLE_LOOK_S", 0.02)
    now = [0.0]
    log = ActivityLog(tmp_path / "activity.sqlite3", 1, lambda: now[0])
    log.start()
    log.record(ONE)
    assert await _records(log, 1) == ["req-1"]
    now[0] = 1.5 * DAY_S
    with anyio.fail_after(30):
        while (await log.page(limit=1, after=0)).requests:  # noqa: ASYNC110 - a thread deletes it, and tells nobody
            await anyio.sleep(0.01)
    await anyio.to_thread.run_sync(log.close)


async def test_a_limited_key_sees_its_own_requests_and_any_other_everybodys(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    keys = {
        "boss": add_key(file, "boss"),
        "laptop": add_key(file, "laptop", tiers=("fast",)),
        "screen": add_key(file, "screen", is_read_only=True),
    }
    seen: dict[str, list[str]] = {}
    async with running(tmp_path, keys=load_keys(file)) as (on, _, _):
        for request, key in (("req-1", "laptop"), ("req-2", "boss"), ("req-3", None), ("req-4", "laptop")):
            on.observatory.observe(replace(ONE, request=request, key=key))
        await _records(on.observatory.log, 4)
        for name, key in keys.items():
            answer = await on.client.get("/engine/activity", headers={"authorization": f"Bearer {key}"})
            seen[name] = [each["request"] for each in answer.json()["requests"]]
        first = await on.client.get("/engine/activity?limit=1", headers={"authorization": f"Bearer {keys['laptop']}"})
    assert seen == {"boss": ["req-4", "req-3", "req-2", "req-1"], "laptop": ["req-4", "req-1"], "screen": []}
    assert [each["request"] for each in first.json()["requests"]] == ["req-4"]


def _modes(folder: Path) -> set[int]:
    return {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


@pytest.mark.skipif(sys.platform == "win32", reason="modes are the folder's there")
async def test_the_log_and_its_companions_are_private(tmp_path: Path) -> None:
    log = ActivityLog(tmp_path / "activity.sqlite3", 1)
    log.start()
    log.record(ONE)
    await _records(log, 1)
    with sqlite3.connect(tmp_path / "activity.sqlite3"):
        assert _modes(tmp_path) == {0o600}
    log.close()


def test_what_does_not_fit_the_queue_is_counted_as_lost_and_nobody_waits(tmp_path: Path) -> None:
    log = ActivityLog(tmp_path / "activity.sqlite3", 1)
    for _ in range(QUEUED + 3):
        log.record(ONE)
    assert log.lost == 3


async def test_what_cannot_be_written_is_counted_as_lost_until_it_can_be_again(tmp_path: Path) -> None:
    path = tmp_path / "activity.sqlite3"
    path.mkdir()
    log = ActivityLog(path, 1)
    log.start()
    log.record(ONE)
    while log.lost == 0:  # noqa: ASYNC110 - as above
        await anyio.sleep(0.01)
    assert (await log.page(limit=1, after=0)).lost == 1
    path.rmdir()
    log.record(ONE)
    assert await _records(log, 1) == ["req-1"]
    log.close()


async def test_an_engine_that_was_told_to_keep_no_log_says_so(tmp_path: Path) -> None:
    log = NoActivityLog()
    log.record(ONE)
    assert (await log.page(limit=5, after=0)).enabled is False


async def test_a_models_log_is_shown_and_followed(tmp_path: Path) -> None:
    async with running(tmp_path) as (on, _, _):
        path = log_path(on.observatory.log_dir, "small")
        path.write_text("one\ntwo\nthr", encoding="utf-8")
        assert (await on.client.get("/engine/logs/fast?lines=1")).json() == {"model": "small", "lines": ["two"]}
        assert error_of(await on.client.get("/engine/logs/..%2Fengine")) == (404, "model_not_found")
        async with on.client.stream("GET", "/engine/logs/fast?follow=1&lines=1") as answer:
            frames = answer.aiter_lines()
            seen: list[str] = []
            async for line in frames:
                if not line.startswith("data: "):
                    continue
                seen += json.loads(line.removeprefix("data: "))["lines"]
                if seen == ["two"]:
                    with path.open("a", encoding="utf-8") as file:
                        file.write("ee\nfour\n")
                if "four" in seen:
                    break
    assert seen == ["two", "three", "four"]


def test_a_log_that_is_begun_anew_is_followed_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "model-m.log"
    tail = LogTail(path)
    assert tail.last(5) == ()
    path.write_bytes(b"one\r\nhalf")
    assert tail.more() == ("one",)
    path.unlink()
    path.write_bytes(b"new\n")
    assert tail.more() == ("new",)
    assert tail.more() == ()


async def test_a_streams_request_is_recorded_with_the_time_to_its_first_part(tmp_path: Path) -> None:
    async with running(tmp_path) as (on, _, _):
        await on.client.post("/v1/chat/completions", json=ASKED)
        resources = (await on.client.get("/engine/resources")).json()
    assert resources["engine"]["name"] == "engine"
    assert [each["name"] for each in resources["models"]] == ["small"]
    assert resources["gpus"] == []


async def test_each_card_is_shown_with_the_models_that_lie_on_it(tmp_path: Path) -> None:
    cards = (Card(0, "Example", "GPU-0", 12288, 2288, {FIRST_PID: 9000, 77: 1000}), Card(1, "Example", "GPU-1", 12288, 12288))
    async with running(tmp_path, look=lambda: cards) as (on, _, _):
        await on.client.post("/v1/chat/completions", json=ASKED)
        gpus = (await on.client.get("/engine/resources")).json()["gpus"]
        page = (await on.client.get("/metrics")).text
    assert gpus == [
        {"index": 0, "name": "Example", "total_mib": 12288, "free_mib": 2288, "used_by": {"small": 9000}},
        {"index": 1, "name": "Example", "total_mib": 12288, "free_mib": 12288, "used_by": {}},
    ]
    assert lines_of(page)['variet_model_gpu_memory_bytes{model="small",gpu="0"}'] == 9000 * 2**20


def test_the_memory_of_a_process_that_is_gone_is_unknown() -> None:
    assert family_mib(2**30) is None
