"""AGT-4: what a real llama.cpp server says of a chat template decides whether thoughts are sent again; ids of calls suit every template."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import httpx2
import pytest

from agent.calls.assemble import Reply
from agent.engine.client import EngineClient
from agent.engine.key import EngineKey
from agent.engine.templates import FRESH_S, TEMPLATES_FILE, Templates
from agent.events import CallValue, RouteChosen
from agent.view.messages import assistant_message, freeze_prefix, request_body, sent_id, tool_message, user_message
from config.paths import Home
from tests.fakes.tiny_gguf import GREETING, write_tiny_gguf
from tests.journeys.engine_process import running_engine, settings_for
from tests.journeys.servers import ServerKind

pytestmark = pytest.mark.anyio
ROUTE = RouteChosen(turn="t", tier="fast", model="fast", rule="default", reasons=())
REPLY = Reply("Yes.", reasoning="hm", model="greeter")
NINE = (
    "{%- for m in messages %}{%- for c in m.tool_calls or [] %}{%- if c.id|length != 9 %}"
    '{{- raise_exception("Tool call IDs should be alphanumeric strings with length 9!") }}{%- endif %}'
    "[TOOL_CALLS][{{ c.function|tojson }}]{%- endfor %}"
    '{%- if m.role == "tool" and m.tool_call_id|length != 9 %}'
    '{{- raise_exception("Tool call IDs should be alphanumeric strings with length 9!") }}{%- endif %}'
    "[INST]{{ m.content }}[/INST]{%- endfor %}"
)
"""As Mistral's templates look at ids."""
THEIRS = "bY3kQ9sT1vWx7zR4mN8pL2cD5fG6hJ0a"
"""As a llama-server names a call of a model that writes no ids."""


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


async def test_a_template_that_takes_ids_of_nine_letters_takes_every_conversation(home: Home, tmp_path: Path, server: ServerKind) -> None:
    model, template = write_tiny_gguf(tmp_path / "greeter.gguf", says=GREETING), tmp_path / "nine.jinja"
    template.write_text(NINE, encoding="utf-8")
    settings = settings_for({"greeter": (model, ("--no-warmup", "--chat-template-file", str(template)))}, {"fast": "greeter"})
    call = CallValue(id=THEIRS, name="list_events", arguments='{"when":"friday"}')
    said = [user_message("hi"), assistant_message("", "", [call]), tool_message(THEIRS, "Nothing.")]
    body = request_body(model="fast", prefix=freeze_prefix([]), messages=said, max_tokens=4)
    as_it_came = body.replace(sent_id(THEIRS).encode(), THEIRS.encode())
    async with running_engine(home, settings, server=server) as engine:
        answers = [
            (await engine.http.post("/v1/chat/completions", content=each, headers={"content-type": "application/json"})).status_code
            for each in (body, as_it_came)
        ]
    assert answers == [200, 400]
