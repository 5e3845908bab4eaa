"""The few requests that must change on their way to a model: those to a virtual model, of a conversation, and with a misread tool choice.

Pure. Everything else passes as the very same bytes: a proxy that parses and writes again loses key order, number formats and time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, cast

from config.vocabulary import is_table
from inference.catalog import VirtualModel
from inference.errors import InvalidRequest

_SAMPLED = ("/completions", "/completion", "/responses", "/messages", "/infill")
"""Routes whose requests take sampling values."""
_COUNTING = re.compile(r"(?<=/messages)/count_tokens$|/input_tokens$")
"""What makes of a route the one that only counts what the same request would be."""
_TEMPLATED = ("/chat/completions", "/responses", "/messages", "/apply-template")
"""Routes whose requests a model's template is applied to."""
_SLOT = "id_slot"
_EFFORT_PREFIX = "Reasoning: "

Body = dict[str, Any]


def rewrite(raw: bytes, body: Mapping[str, Any], virtual: VirtualModel, path: str) -> bytes:
    """Return what the model is sent: `raw` itself unless something must change.

    1. A virtual model's values are defaults: what the request says itself stands.
    2. A tool choice that names one function becomes `required` over that one tool: llama-server takes the object form for `auto`, and
       Anthropic's for any of the tools.
    3. A slot that a client chose is taken out: conversations share the slots, and only the engine knows who has which.

    Args:
        raw: the body as it came.
        body: the same, parsed.
        virtual: what stands behind the name that was asked for.
        path: the route.

    Raises:
        InvalidRequest: the tool choice names a tool that is not offered, or what must be written anew is nested too deeply.
    """
    changed = {**_virtual_changes(body, virtual, path), **_tool_choice_changes(body, path)}  # 1. 2.
    has_slot = _SLOT in body and takes_slot(path)
    if not changed and not has_slot:
        return raw
    kept = {name: value for name, value in body.items() if name != _SLOT or not has_slot}  # 3.
    return _encoded({**kept, **changed})


def takes_slot(path: str) -> bool:
    """Whether a request to that route is answered in a slot that can be chosen."""
    return path.endswith(_SAMPLED)


def pinned(raw: bytes, slot: int | None) -> bytes:
    """Send a request to its conversation's slot. It has none of its own any more; every other byte stays as it is."""
    body = raw.lstrip()
    if slot is None or not body.startswith(b"{"):
        return raw
    rest = body[1:].lstrip()
    comma = b"" if rest.startswith(b"}") else b","
    return b'{"%b":%d%b%b' % (_SLOT.encode(), slot, comma, rest)


def _encoded(body: Body) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        # Half a character, which JSON can escape and UTF-8 cannot write.
        return json.dumps(body, separators=(",", ":")).encode()
    except RecursionError as error:
        # It could just be read.
        raise InvalidRequest("The body is nested too deeply.", is_permanent=True) from error


def _virtual_changes(body: Mapping[str, Any], virtual: VirtualModel, path: str) -> Body:
    if virtual.is_plain:
        return {}
    changed: Body = {name: value for name, value in virtual.sampling.items() if name not in body} if path.endswith(_SAMPLED) else {}
    form = _COUNTING.sub("", path)
    if not form.endswith(_TEMPLATED):
        return changed
    if virtual.thinking is not None:
        template = body.get("chat_template_kwargs")
        given = template if is_table(template) else {}
        if "enable_thinking" not in given and "thinking" not in body:
            changed["chat_template_kwargs"] = {**given, "enable_thinking": virtual.thinking}
    if virtual.reasoning_effort is not None and not _says_effort(body):
        changed.update(_with_effort(body, form, f"{_EFFORT_PREFIX}{virtual.reasoning_effort}"))
    return changed


def _says_effort(body: Mapping[str, Any]) -> bool:
    """Whether the request asks for an effort itself, in the field that its protocol has for it."""
    reasoning = body.get("reasoning")
    return body.get("reasoning_effort") is not None or (is_table(reasoning) and reasoning.get("effort") is not None)


def _with_effort(body: Mapping[str, Any], form: str, line: str) -> Body:
    """Put a line before the instructions, which each protocol has in a place of its own."""
    own_place = {"responses": "instructions", "messages": "system"}.get(form.rpartition("/")[2])
    if own_place is not None:
        own = _prefixed(body.get(own_place), line)
        return {} if own is body.get(own_place) else {own_place: own}
    if not isinstance(body.get("messages"), list):
        return {}
    messages = _listed(body["messages"])
    first: Any = messages[0] if messages else None
    if not is_table(first) or first.get("role") not in ("system", "developer"):
        return {"messages": [{"role": "system", "content": line}, *messages]}
    content = _prefixed(first.get("content"), line)
    return {} if content is first.get("content") else {"messages": [{**first, "content": content}, *messages[1:]]}


def _prefixed(content: Any, line: str) -> Any:
    """Instructions with a line before them; the very same if they set their own effort."""
    if isinstance(content, list):
        parts = cast("list[Any]", content)
        opening = parts[0] if parts else None
        if is_table(opening) and str(opening.get("text") or "").startswith(_EFFORT_PREFIX):
            return parts
        return [{"type": "text", "text": line}, *parts]
    if str(content or "").startswith(_EFFORT_PREFIX):
        return content
    return f"{line}\n{content or ''}".rstrip("\n")


def _tool_choice_changes(body: Mapping[str, Any], path: str) -> Body:
    choice = body.get("tool_choice")
    form = _COUNTING.sub("", path)
    if not is_table(choice) or not form.endswith(("/chat/completions", "/responses", "/messages")):
        return {}
    is_anthropic = form.endswith("/messages")
    name = _anthropic_name(choice) if is_anthropic else _chosen_name(choice)
    if name is None:
        return {}
    named = [tool for tool in _listed(body.get("tools")) if is_table(tool)]
    chosen = [tool for tool in named if (tool.get("name") if is_anthropic else _chosen_name(tool)) == name]
    if not chosen:
        raise InvalidRequest(f"tool_choice names the function {name!r}, which is not among the tools.", is_permanent=True)
    return {"tools": chosen} if is_anthropic else {"tools": chosen, "tool_choice": "required"}


def _anthropic_name(choice: Body) -> str | None:
    """The tool that a tool choice names, in Anthropic's form."""
    name = choice.get("name")
    return name if choice.get("type") == "tool" and isinstance(name, str) else None


def _chosen_name(value: Body) -> str | None:
    """The function that a tool or a tool choice names, in the form of chat completions or of responses."""
    if value.get("type", "function") != "function":
        return None
    function = value.get("function")
    name = function.get("name") if is_table(function) else value.get("name")
    return name if isinstance(name, str) else None


def _listed(value: object) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []
