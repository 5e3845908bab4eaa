"""What the engine measures and remembers of a real llama.cpp server: rates by `variet engine bench`, and a request's own record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
from click.testing import CliRunner

from config.paths import Home
from inference.cli import engine
from tests.fakes.tiny_gguf import write_tiny_gguf
from tests.journeys.engine_process import RunningEngine, running_engine, settings_for


async def until_recorded(on: RunningEngine) -> dict[str, Any]:
    """The newest record that has a first token: it comes a moment after the answer."""
    while True:
        records: list[dict[str, Any]] = (await on.http.get("/engine/activity?limit=1")).json()["requests"]
        if records and records[0]["first_token_s"] is not None:
            return records[0]
        await anyio.sleep(0.02)


async def test_rates_are_measured_kept_and_served_and_a_stream_leaves_its_record(home: Home, tmp_path: Path) -> None:
    model = tmp_path / "tiny.gguf"
    write_tiny_gguf(model)
    async with running_engine(home, settings_for({"tiny": (model, ())}, {"fast": "tiny"})) as on:
        found = await anyio.to_thread.run_sync(
            lambda: CliRunner().invoke(engine, ["bench", "fast", "--runs", "1", "--json", "--url", on.url], catch_exceptions=False)
        )
        assert found.exit_code == 0, found.output
        (measured,) = json.loads(found.stdout)["models"]
        assert measured["prefill_tps"] > 0
        assert measured["decode_tps"] > 0
        assert measured["load_s"] > 0
        assert measured["prompt_tokens"] == 512
        listed = {each["id"]: each["meta"]["rates"] for each in (await on.http.get("/v1/models")).json()["data"]}
        known = {name: measured[name] for name in ("prefill_tps", "decode_tps", "load_s")}
        assert listed["fast"] == listed["tiny"] == {**known, "first_byte_s": None, "real_time_factor": None}
        stream = await on.openai.chat.completions.create(
            model="fast", messages=[{"role": "user", "content": "hello"}], max_tokens=5, stream=True
        )
        async for _ in stream:
            pass
        newest = await until_recorded(on)
        assert (newest["model"], newest["asked_as"], newest["outcome"]) == ("tiny", "fast", "ok")
        assert newest["completion_tokens"] == 5
        assert newest["prompt_tokens"] > 0
        assert newest["tokens_per_s"] > 0
        metrics = (await on.http.get("/metrics")).text
        assert 'variet_swap_seconds_count{model="tiny"} 1' in metrics
    _, kept = json.loads((home.state_dir / "rates.json").read_text(encoding="utf-8"))["tiny"]
    assert kept["decode_tps"] == measured["decode_tps"]
