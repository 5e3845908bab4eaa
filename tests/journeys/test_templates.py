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
from agent.view.taken import as_taken
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
ONE_ONLY = (
    "{%- if tools %}{{ tools|tojson }}{%- endif %}{%- for m in messages %}{%- if m.tool_calls %}{%- if not m.tool_calls|length == 1 %}"
    '{{- raise_exception("This model only supports single tool-calls at once!") }}{%- endif %}'
    "{{ m.tool_calls[0].function|tojson }}{%- else %}[{{ m.role }}]{{ m.content }}{%- endif %}{%- endfor %}"
)
"""As Llama's look at a step's calls."""
FIRST_ONLY = (
    "{%- if tools %}{{ tools|tojson }}{%- endif %}{%- for m in messages %}{%- if m.tool_calls %}"
    "{{ m.tool_calls[0].function|tojson }}{%- else %}[{{ m.role }}]{{ m.content }}{%- endif %}{%- endfor %}"
)
"""As that of gpt-oss does."""
TOOLLESS = (
    "{%- for m in messages if m.role != 'system' %}{%- if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    '{{- raise_exception("Conversation roles must alternate user/assistant/user/assistant/...") }}{%- endif %}'
    "[{{ m.role }}]{{ m.content }}{%- endfor %}"
)
"""As Gemma 3's takes messages."""
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


async def test_what_a_server_says_of_a_template_makes_every_conversation_one_that_it_takes(
    home: Home, tmp_path: Path, server: ServerKind
) -> None:
    model, texts = write_tiny_gguf(tmp_path / "greeter.gguf", says=GREETING), {"one": ONE_ONLY, "first": FIRST_ONLY, "toolless": TOOLLESS}
    for name, text in texts.items():
        (tmp_path / f"{name}.jinja").write_text(text, encoding="utf-8")
    files = {name: (model, ("--no-warmup", "--chat-template-file", str(tmp_path / f"{name}.jinja"))) for name in texts}
    settings = settings_for({**files, "small": (Path("builtin:nano"), ())}, {f"tier-{name}": name for name in (*files, "small")})
    calls = [CallValue(id=each, name="list_events", arguments=f'{{"when":"{each}"}}') for each in ("monday", "friday")]
    said = (user_message("hi"), assistant_message("", "", calls), *(tool_message(each.id, "Nothing.") for each in calls))
    prefix = freeze_prefix([{"name": "list_events", "description": "d", "input_schema": {"type": "object", "properties": {}}}])
    found: dict[str, tuple[str | None, list[int]]] = {}
    async with running_engine(home, settings, server=server) as engine, httpx2.AsyncClient(trust_env=False) as http:
        templates = Templates({"engine": EngineClient(engine.url, EngineKey(None), http)}, home.state_dir / TEMPLATES_FILE)
        for name in (f"tier-{each}" for each in (*files, "small")):
            await engine.openai.chat.completions.create(model=name, messages=[{"role": "user", "content": "hello"}], max_tokens=1)
            taken = await templates.calls.of(ROUTE.model_copy(update={"model": name}), is_asked=True)
            bodies = [
                request_body(model=name, prefix=sent.prefix, messages=sent.messages, max_tokens=1)
                for sent in (as_taken(prefix, said, each) for each in ("together", taken or "together"))
            ]
            found[name.removeprefix("tier-")] = (
                taken,
                [
                    (await engine.http.post("/v1/chat/completions", content=each, headers={"content-type": "application/json"})).status_code
                    for each in bodies
                ],
            )
    assert found == {
        "one": ("apart", [400, 200]), "first": ("apart", [200, 200]), "toolless": ("none", [400, 200]), "small": ("together", [200, 200]),
    }  # fmt: skip
