"""ENG-14: on the model that ships, a conversation that was swapped out is not read again, and leaves nothing when it is over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from config.paths import Home
from inference.contract import SESSION
from inference.embedded.flags import BUILTIN_MODELS
from tests.fakes.tiny_gguf import write_tiny_gguf
from tests.journeys.engine_process import TWO_TIERS, RunningEngine, running_engine, settings_for
from tests.journeys.servers import ServerKind

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not BUILTIN_MODELS["builtin:nano"].is_file(), reason="the model that ships has not been trained yet"),
]

LONG = " ".join(f"Item {number} is on the list of things to buy." for number in range(12))
HELLO = [{"role": "user", "content": "hello"}]
TALK = [{"role": "system", "content": LONG}, *HELLO]


async def ask(engine: RunningEngine, tier: str, turns: list[dict[str, Any]], session: str | None) -> dict[str, Any]:
    body = {"model": tier, "messages": turns, "max_tokens": 2, "temperature": 0}
    answer = await engine.http.post("/v1/chat/completions", json=body, headers={SESSION: session} if session else {})
    assert answer.status_code == 200, answer.text
    return answer.json()["timings"]


async def swap_away(engine: RunningEngine) -> None:
    await ask(engine, "balanced", HELLO, None)


def files(home: Home) -> list[Path]:
    return sorted((home.state_dir / "warmth").glob("*.slot*"))


async def test_a_conversation_that_comes_back_after_a_swap_reads_none_of_its_prompt_again(home: Home, server: ServerKind) -> None:
    async with running_engine(home, TWO_TIERS, server=server) as engine:
        cold = await ask(engine, "fast", TALK, "a")
        prompt = cold["cache_n"] + cold["prompt_n"]
        assert cold["cache_n"] == 0 and prompt > 200
        await swap_away(engine)
        assert len(files(home)) == 1
        warm = await ask(engine, "fast", [*TALK, {"role": "assistant", "content": "Hello."}, *HELLO], "a")
        assert warm["cache_n"] >= 0.99 * prompt
        status = (await engine.model("nano"))["warmth"]
        assert (status["state"], status["reason"], status["saved"]) == ("on", None, 1)
        assert status["reused"] >= 0.99

    # Another start of the engine finds it too: stopping saves as a swap does.
    async with running_engine(home, TWO_TIERS, server=server) as engine:
        assert (await ask(engine, "fast", TALK, "a"))["cache_n"] >= 0.99 * prompt


async def test_without_the_restore_the_whole_prompt_is_read_again(home: Home, server: ServerKind) -> None:
    async with running_engine(home, "[warmth]\nenabled = false\n" + TWO_TIERS, server=server) as engine:
        await ask(engine, "fast", TALK, "a")
        await swap_away(engine)
        assert (await ask(engine, "fast", TALK, "a"))["cache_n"] == 0
        assert (await engine.model("nano"))["warmth"]["state"] == "off"
    assert files(home) == []


async def test_what_is_kept_is_private_and_goes_with_the_conversation(home: Home, server: ServerKind) -> None:
    async with running_engine(home, TWO_TIERS, server=server) as engine:
        await ask(engine, "fast", TALK, "a secret name")
        await swap_away(engine)
        folder = home.state_dir / "warmth"
        assert folder.stat().st_mode & 0o777 == 0o700
        assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
        assert "secret" not in "".join(path.name for path in folder.iterdir()) + (folder / "ledger.json").read_text(encoding="utf-8")
        assert (await engine.http.delete("/engine/sessions/a secret name")).json() == {"deleted": 1}
        assert (await engine.http.delete("/engine/sessions/a secret name")).json() == {"deleted": 0}
        assert files(home) == []
        assert (await ask(engine, "fast", TALK, "a secret name"))["cache_n"] == 0


async def test_each_conversation_keeps_its_own_slot(home: Home, server: ServerKind) -> None:
    other = [{"role": "system", "content": "Nothing is needed. " + LONG}, *HELLO]
    async with running_engine(home, TWO_TIERS, server=server) as engine:
        for session, turns in (("a", TALK), ("b", other)):
            await ask(engine, "fast", turns, session)
        for session, turns in (("a", TALK), ("b", other)):
            timings = await ask(engine, "fast", turns, session)
            assert timings["prompt_n"] == 1


async def test_a_saved_conversation_that_is_damaged_costs_its_warmth_and_nothing_else(home: Home, server: ServerKind) -> None:
    async with running_engine(home, TWO_TIERS, server=server) as engine:
        await ask(engine, "fast", TALK, "a")
        await swap_away(engine)
        (file,) = files(home)
        file.write_bytes(b"no slot at all")
        assert (await ask(engine, "fast", TALK, "a"))["cache_n"] == 0
        status = (await engine.model("nano"))["warmth"]
        assert status["state"] == "on" and "restore of slot 0" in status["reason"]
        assert files(home) == []


async def test_a_model_with_a_sliding_window_is_brought_back_or_found_out_once(home: Home, server: ServerKind, tmp_path: Path) -> None:
    """Which of the two is the server's affair: newer ones keep what such a cache needs beside the slot, older ones do not."""
    window = write_tiny_gguf(tmp_path / "window.gguf", window=32), ("--no-warmup",)
    other = write_tiny_gguf(tmp_path / "other.gguf"), ("--no-warmup",)
    settings = settings_for({"window": window, "other": other}, {"fast": "window", "balanced": "other"})
    async with running_engine(home, settings, server=server) as engine:
        cold = await ask(engine, "fast", TALK, "a")
        prompt = cold["cache_n"] + cold["prompt_n"]
        assert cold["cache_n"] == 0 and prompt > 5 * 32
        await swap_away(engine)
        spared = (await ask(engine, "fast", TALK, "a"))["cache_n"] + 1
        assert spared >= 0.99 * prompt or spared < 0.5 * prompt

        async def is_known() -> bool:
            status = (await engine.model("window"))["warmth"]
            if spared >= 0.99 * prompt:
                return status["state"] == "on" and status["reason"] is None and status["reused"] is not None
            return status["state"] == "unsupported" and "cannot be restored" in status["reason"]

        await engine.until(is_known)
        await swap_away(engine)
        assert len(files(home)) == (1 if spared >= 0.99 * prompt else 0)


async def test_a_model_where_a_restore_spares_nothing_is_not_tried_again(home: Home, server: ServerKind, tmp_path: Path) -> None:
    """The file of another conversation stands for a cache that cannot be restored: both make the server read everything."""
    async with running_engine(home, TWO_TIERS, server=server) as engine:
        await ask(engine, "fast", TALK, "a")
        await ask(engine, "fast", [{"role": "user", "content": "quite another beginning"}], "b")
        await swap_away(engine)
        ledger = json.loads((home.state_dir / "warmth" / "ledger.json").read_text(encoding="utf-8"))
        long, short = sorted(ledger["saved"], key=lambda each: -each["tokens"])
        folder = home.state_dir / "warmth"
        (folder / long["file"]).write_bytes((folder / short["file"]).read_bytes())
        await ask(engine, "fast", TALK, "a")

        async def is_known() -> bool:
            status = (await engine.model("nano"))["warmth"]
            return status["state"] == "unsupported" and "cannot be restored" in status["reason"]

        await engine.until(is_known)
        assert files(home) == []
        await swap_away(engine)
        assert files(home) == []
    async with running_engine(home, TWO_TIERS, server=server) as engine:
        await ask(engine, "fast", HELLO, "a")
        assert (await engine.model("nano"))["warmth"]["state"] == "unsupported"
