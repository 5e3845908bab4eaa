"""AGT-4: what a real llama.cpp server says of a chat template is enough to decide whether thoughts are sent again."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import httpx2
import pytest

from agent.calls.assemble import Reply
from agent.engine.client import EngineClient
from agent.engine.key import EngineKey
from agent.engine.templates import FRESH_S, TEMPLATES_FILE, Templates
from agent.events import RouteChosen
from config.paths import Home
from tests.fakes.tiny_gguf import GREETING, write_tiny_gguf
from tests.journeys.engine_process import running_engine, settings_for
from tests.journeys.servers import ServerKind

pytestmark = pytest.mark.anyio
ROUTE = RouteChosen(turn="t", tier="fast", model="fast", rule="default", reasons=())
REPLY = Reply("Yes.", reasoning="hm", model="greeter")


async def test_a_template_is_found_out_by_rendering_and_a_model_that_is_not_loaded_stays_so(
    home: Home, tmp_path: Path, server: ServerKind
) -> None:
    model, ticks = write_tiny_gguf(tmp_path / "greeter.gguf", says=GREETING), count(step=FRESH_S + 1)
    settings = settings_for({"greeter": (model, ("--no-warmup",))}, {"fast": "greeter"})
    async with running_engine(home, settings, server=server) as engine, httpx2.AsyncClient(trust_env=False) as http:
        client = EngineClient(engine.url, EngineKey(None), http)
        templates = Templates({"engine": client}, home.state_dir / TEMPLATES_FILE, clock=lambda: next(ticks))
        assert not (await templates.settle(ROUTE, REPLY)).drops_thoughts
        assert (await engine.model("greeter"))["state"] == "unloaded"
        await engine.openai.chat.completions.create(model="fast", messages=[{"role": "user", "content": "hello"}], max_tokens=4)
        assert (await templates.settle(ROUTE, REPLY)).drops_thoughts
    assert "dropped" in (home.state_dir / TEMPLATES_FILE).read_text(encoding="utf-8")
