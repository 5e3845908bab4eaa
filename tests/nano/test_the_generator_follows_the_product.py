"""The small model is trained on the product's own bytes: these tests fail when either side moves alone."""

import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.events import CallValue
from agent.view.messages import assistant_message, freeze_prefix, tool_message, user_message
from agent.view.prompt import SYSTEM_PROMPT, user_text
from mcp_servers.catalogue import core_tools
from nano import generate, intents, replies, results
from nano.dialogue import Dialogue


def _dialogues(count: int) -> list[Dialogue]:
    names = [tool["name"] for tool in core_tools()]
    out: list[Dialogue] = []
    for intent, _ in intents.WEIGHTS:
        for seed in range(count):
            rng = random.Random(seed)
            dialogue = Dialogue(rng, names, results.some_now(rng))
            intent(dialogue)
            out.append(dialogue)
    return out


def test_the_tool_list_is_the_one_that_a_session_freezes():
    assert json.loads(freeze_prefix(core_tools()).tools) == generate.served_tools()


def test_the_prompt_begins_with_what_a_session_freezes():
    prefix = freeze_prefix(core_tools())
    sent = generate.render([json.loads(prefix.system)], json.loads(prefix.tools))
    assert sent == generate.render([{"role": "system", "content": SYSTEM_PROMPT}], generate.served_tools())
    assert "create_event(duration?, location?, title, when)" in sent


def test_each_message_is_rendered_as_the_agent_would_send_it():
    for dialogue in _dialogues(3):
        for message in dialogue.messages:
            assert generate.render([_as_sent(message)], []) == generate.render([message], [])


def _as_sent(message: dict[str, Any]) -> dict[str, Any]:
    """The same message through the agent's own serialisation."""
    if message["role"] == "user":
        return json.loads(user_message(message["content"]))
    if message["role"] == "tool":
        return json.loads(tool_message("call_1", message["content"]))
    calls = [CallValue(id=c["id"], name=c["function"]["name"], arguments=c["function"]["arguments"]) for c in message.get("tool_calls", [])]
    return json.loads(assistant_message(message["content"], calls=calls))


def test_the_time_line_is_the_agents():
    text = user_text("hello", datetime(2026, 11, 21, 9, 5, tzinfo=UTC))
    assert text == "[Sat 21 Nov 2026 09:05]\nhello"
    assert replies.now(text.split("\n")[0]) == "It is Sat 21 Nov 2026, 09:05."


def test_every_call_that_is_taught_fits_the_served_schema():
    schemas = {tool["name"]: tool["input_schema"] for tool in core_tools()}
    for dialogue in _dialogues(25):
        for message in dialogue.messages:
            for call in message.get("tool_calls", []):
                schema, arguments = schemas[call["function"]["name"]], json.loads(call["function"]["arguments"])
                assert set(arguments) <= set(schema["properties"])
                assert set(schema.get("required", [])) <= set(arguments), (message, dialogue.messages)


def test_every_tool_is_taught():
    called = {c["function"]["name"] for d in _dialogues(12) for m in d.messages for c in m.get("tool_calls", [])}
    assert called == {tool["name"] for tool in core_tools()}


def test_the_shipped_file_carries_the_template_and_the_context_that_were_trained():
    shipped = Path(generate.__file__).parents[1] / "inference" / "embedded" / "nano.gguf"
    head = shipped.read_bytes()
    assert Path(generate.__file__).with_name("template.jinja").read_bytes() in head
    assert len(head) <= 16 * 1024 * 1024


def test_a_seed_always_gives_the_same_conversations():
    assert generate.pack(7, chars=3000) == generate.pack(7, chars=3000)
    assert generate.pack(7, chars=3000) != generate.pack(8, chars=3000)
