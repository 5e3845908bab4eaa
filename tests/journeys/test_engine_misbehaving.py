"""ENG-2, 5, 6: what a client and the machine see when a model's process, a client or the engine itself goes wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import httpx2
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from config.paths import Home
from tests.fakes.misbehaving_child import fake_binary
from tests.fakes.processes import wait_gone
from tests.journeys.engine_process import RunningEngine, running_engine, settings_for

pytestmark = pytest.mark.anyio

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hello"}]
ENDLESS = ("--chunks", "100000", "--pace-ms", "5")


def settings(folder: Path, *flags: str, head: str = "") -> str:
    """A model `odd` that misbehaves by `flags`, and a model `good` that does not, on one fake server."""
    weights = folder / "any.gguf"
    weights.write_bytes(b"GGUF")
    binary = fake_binary(folder)
    top = f'{head}\n[stop]\nstop_s = 0.5\n[runtimes.llama-server]\nbinary = "{binary}"\n'
    return settings_for({"odd": (weights, flags), "good": (weights, ())}, {"fast": "good", "deep-logic": "odd"}, head=top)


async def ask(engine: RunningEngine, tier: str) -> str | None:
    answer = await engine.openai.chat.completions.create(model=tier, messages=HELLO, max_tokens=2)
    return answer.choices[0].message.content


async def begin_stream(engine: RunningEngine, tier: str) -> tuple[openai.AsyncStream[Any], Any]:
    stream = await engine.openai.chat.completions.create(model=tier, messages=HELLO, stream=True)
    return stream, await anext(stream)


async def test_a_model_that_is_never_ready_is_a_503_and_the_others_go_on(home: Home, tmp_path: Path) -> None:
    async with running_engine(home, settings(tmp_path, "--never-ready", head="[load]\nstall_s = 3")) as engine:
        with pytest.raises(openai.InternalServerError) as failed:
            await ask(engine, "deep-logic")
        assert (failed.value.status_code, failed.value.code) == (503, "model_failed")
        assert "no sign of life" in str(failed.value)
        assert await ask(engine, "fast") == "word0 word1 "
        await wait_gone(engine.pids("odd")["child"])


async def test_a_model_that_dies_while_loading_is_a_503_with_its_last_words(home: Home, tmp_path: Path) -> None:
    async with running_engine(home, settings(tmp_path, "--die-while-loading")) as engine:
        with pytest.raises(openai.InternalServerError, match="failed to load model, 'fake.gguf'") as failed:
            await ask(engine, "deep-logic")
        assert (failed.value.status_code, failed.value.code) == (503, "model_failed")
        assert (await engine.model("odd"))["state"] == "failed"
        assert await ask(engine, "fast") == "word0 word1 "


async def test_a_model_that_runs_out_of_memory_is_a_507(home: Home, tmp_path: Path) -> None:
    async with running_engine(home, settings(tmp_path, "--oom")) as engine:
        with pytest.raises(openai.InternalServerError, match="cudaMalloc failed") as failed:
            await ask(engine, "deep-logic")
        assert (failed.value.status_code, failed.value.code) == (507, "out_of_memory")


async def test_a_model_that_dies_mid_stream_is_an_error_in_the_stream_and_comes_back(home: Home, tmp_path: Path) -> None:
    async with running_engine(home, settings(tmp_path, "--die-after-chunks", "3", "--pace-ms", "5")) as engine:
        stream, _ = await begin_stream(engine, "deep-logic")
        words = 1
        with pytest.raises(openai.APIError) as failed:
            async for _ in stream:
                words += 1
        assert words == 3
        assert failed.value.code == "upstream_died"
        # It is started again; a request that asks for fewer chunks than it survives is answered.
        assert await ask(engine, "deep-logic") == "word0 word1 "
        assert (await engine.model("odd"))["loads"] == 2


async def test_a_model_that_is_healthy_and_stops_generating_is_an_error_in_the_stream_and_comes_back(home: Home, tmp_path: Path) -> None:
    async with running_engine(home, settings(tmp_path, "--hang-after-chunks", "3", head="[load]\nhung_s = 1")) as engine:
        stream, _ = await begin_stream(engine, "deep-logic")
        with pytest.raises(openai.APIError, match="healthy but sent nothing") as failed:
            async for _ in stream:
                pass
        assert failed.value.code == "upstream_died"
        assert await ask(engine, "deep-logic") == "word0 word1 "
        assert (await engine.model("odd"))["loads"] == 2


async def test_a_model_that_ignores_the_exit_command_and_sigterm_does_not_stop_a_swap(home: Home, tmp_path: Path) -> None:
    async with running_engine(home, settings(tmp_path, "--ignore-exit-command", "--ignore-sigterm")) as engine:
        await ask(engine, "deep-logic")
        odd = engine.pids("odd")["child"]
        assert await ask(engine, "fast") == "word0 word1 "
        await wait_gone(odd)


async def test_what_a_model_started_goes_with_it(home: Home, tmp_path: Path) -> None:
    async with running_engine(home, settings(tmp_path, "--leave-grandchild", "--grandchild-escapes")) as engine:
        await ask(engine, "deep-logic")
        odd = engine.pids("odd")
        assert await ask(engine, "fast") == "word0 word1 "
        await wait_gone(odd["grandchild"])


async def test_a_client_that_leaves_mid_stream_stops_the_generation_and_frees_its_lease(home: Home, tmp_path: Path) -> None:
    async with running_engine(home, settings(tmp_path, *ENDLESS)) as engine:
        stream, _ = await begin_stream(engine, "deep-logic")
        assert (await engine.model("odd"))["in_flight"] == 1
        await stream.close()
        port = (await engine.model("odd"))["port"]

        async def is_freed() -> bool:
            # Asked directly, so that looking takes no lease.
            seen = httpx2.get(f"http://127.0.0.1:{port}/fake/streams", trust_env=False).json()
            return seen["lost"] == 1 and (await engine.model("odd"))["in_flight"] == 0

        await engine.until(is_freed)
        # Nothing holds it any more: a swap goes through at once.
        assert await ask(engine, "fast") == "word0 word1 "


async def test_a_client_that_leaves_the_queue_leaves_no_trace(home: Home, tmp_path: Path) -> None:
    async with running_engine(home, settings(tmp_path, *ENDLESS)) as engine:
        stream, _ = await begin_stream(engine, "deep-logic")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, engine, "fast")

            async def is_queued() -> bool:
                return len((await engine.status())["queue"]) == 1

            await engine.until(is_queued)
            tasks.cancel_scope.cancel()

        async def is_empty() -> bool:
            return (await engine.status())["queue"] == []

        await engine.until(is_empty)
        # The stream was never disturbed, and the model that nobody waits for any more is not loaded.
        await anext(stream)
        await stream.close()
        assert (await engine.model("good"))["loads"] == 0


@pytest.mark.parametrize("flags", [(), ("--ignore-sigterm", "--leave-grandchild")], ids=["plain", "stubborn_with_a_grandchild"])
async def test_kill_9_of_the_engine_mid_stream_leaves_no_process(home: Home, tmp_path: Path, flags: tuple[str, ...]) -> None:
    async with running_engine(home, settings(tmp_path, *ENDLESS, *flags)) as engine:
        stream, _ = await begin_stream(engine, "deep-logic")
        engine.kill()
        for pid in engine.pids("odd").values():
            await wait_gone(pid)
        with pytest.raises((openai.APIError, httpx2.TransportError)):
            async for _ in stream:
                pass


async def test_kill_9_of_the_engine_during_a_load_leaves_no_process(home: Home, tmp_path: Path) -> None:
    async with running_engine(home, settings(tmp_path, "--never-ready", "--leave-grandchild")) as engine:
        await engine.http.post("/engine/load", json={"model": "odd"})

        log = home.log_dir / "model-odd.log"

        async def is_loading() -> bool:
            return log.is_file() and "loading" in log.read_text(encoding="utf-8")

        await engine.until(is_loading)
        engine.kill()
        for pid in engine.pids("odd").values():
            await wait_gone(pid)


async def test_a_stopping_engine_lets_a_stream_end_and_leaves_no_process(home: Home, tmp_path: Path) -> None:
    async with running_engine(home, settings(tmp_path, "--chunks", "40", "--pace-ms", "5")) as engine:
        stream, _ = await begin_stream(engine, "deep-logic")
        words = 1
        engine.process.terminate()
        async for chunk in stream:
            words += sum(1 for choice in chunk.choices if choice.delta.content)
        assert words == 40
        assert await engine.process.wait() == 0
        await wait_gone(engine.pids("odd")["child"])
