"""What a request to the gateway asks for, read without touching its bytes: the name of the model, and where it stands.

Pure. Only the value of `model` may be replaced; a gateway that parses and writes again loses key order, number formats and time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from agent.whole_text import whole

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()
_TEXTS = ("text", "input_text", "output_text")
"""Types of parts with a text: of chat completions and of Anthropic's messages, of the input of a response, of an earlier one's answer."""
_SHOWN = "image_url"
"""Type of a part with a picture, of chat completions."""
_PICTURES = (_SHOWN, "input_image", "image")
"""Types of parts with a picture: of chat completions, of the input of a response, of Anthropic's messages."""
_CALLS = ("function_call", "custom_tool_call", "tool_use")
"""Types of calls that stand by themselves: two of the input of a response, one of Anthropic's messages."""
_RESULT = "tool_result"
"""Type of a part with what a tool returned, which Anthropic's protocol has the user say."""


class NotUnderstood(Exception):
    """The body is not what the route takes; the text is for the client."""


class _Member(NamedTuple):
    name: str
    value: Any
    start: int
    end: int


@dataclass(frozen=True)
class Asked:
    """One request whose body is a JSON object."""

    text: str
    """The body, decoded."""
    body: dict[str, Any]
    spans: tuple[tuple[int, int], ...]
    """Where the values of `model` stand in the text; a name that is there twice counts with its last value, and is replaced in both."""

    @property
    def model(self) -> str:
        """The name that was asked for; empty where there is none."""
        model = self.body.get("model")
        return model if isinstance(model, str) else ""

    @property
    def is_streamed(self) -> bool:
        """Whether the answer should come as server-sent events."""
        return self.body.get("stream") is True

    def newest_text(self) -> str:
        """The newest text that the person typed: of the last message of the role `user`, never of results or of history.

        A conversation is `messages` or, of a response, `input`; where that is one text, or there is a `prompt` alone, it is that.
        """
        return whole(_text_of(self._newest_said()))

    def newest_pictures(self) -> tuple[object, ...]:
        """The addresses of the pictures in the same message, as they were written."""
        urls = (part.get("image_url") for part in _tables(self._newest_said()) if part.get("type") == _SHOWN)
        return tuple(cast("dict[str, object]", url).get("url") if isinstance(url, dict) else url for url in urls)

    def newest_strange(self) -> tuple[str, ...]:
        """Types of the parts of the same message that are in neither of the two, such as files and sounds."""
        types = (str(part.get("type", "")) for part in _tables(self._newest_said()))
        return tuple(each for each in types if each not in (*_TEXTS, _SHOWN))

    def _newest_said(self) -> object:
        if items := self._items():
            said = (item.get("content") for item in reversed(items) if item.get("role") == "user")
            return next((content for content in said if not _is_results(content)), "")
        return self.body.get("input") or self.body.get("prompt")

    def _items(self) -> list[dict[str, Any]]:
        """The conversation, oldest first: messages, and of a response also calls and their results."""
        return _tables(self.body.get("messages")) or _tables(self.body.get("input"))

    def chars(self) -> int:
        """How much text a model would have to read, about: what was said, calls and tools, without pictures and sounds."""
        said = sum(_chars(item) for item in self._items())
        before = sum(len(_text_of(self.body.get(name))) for name in ("system", "instructions"))
        alone = sum(_longest(self.body.get(name)) for name in ("prompt", "input"))
        offered = self.body.get("tools")
        return said + before + alone + (len(json.dumps(offered)) if offered else 0)

    def needs(self) -> frozenset[str]:
        """What a model must be able to do beside answering."""
        parts = [part for item in self._items() for content in _contents(item) for part in _tables(content)]
        found = {"tools"} if self.body.get("tools") or self.body.get("functions") else set[str]()
        return frozenset(found | ({"vision"} if any(part.get("type") in _PICTURES for part in parts) else set[str]()))

    def with_model(self, name: str) -> bytes:
        """The body with another name for the model, and every other byte as it came."""
        said = json.dumps(name)
        if not self.spans:
            opened = self.text.index("{") + 1
            comma = "" if not self.body else ","
            return f'{self.text[:opened]}"model":{said}{comma}{self.text[opened:]}'.encode()
        parts, at = list[str](), 0
        for start, end in self.spans:
            parts += (self.text[at:start], said)
            at = end
        return "".join((*parts, self.text[at:])).encode()


def read(raw: bytes) -> Asked:
    """Read a body.

    Raises:
        NotUnderstood: it is no JSON object.
    """
    try:
        text = raw.decode()
        members = list(_members(text))
    except (ValueError, RecursionError, IndexError) as error:
        raise NotUnderstood("The body is no JSON object.") from error
    spans = tuple((each.start, each.end) for each in members if each.name == "model")
    return Asked(text, {each.name: each.value for each in members}, spans)


def _members(text: str) -> Iterator[_Member]:
    """The members of the one object that a text is.

    Raises:
        ValueError: it is something else.
        IndexError: it ends too early.
    """
    at = _expect(text, _skip(text, 0), "{")
    if text[at := _skip(text, at)] == "}":
        return _end(text, at + 1)
    while True:
        if text[at] != '"':
            raise ValueError(at)
        name, at = _DECODER.raw_decode(text, at)
        start = _skip(text, _expect(text, _skip(text, at), ":"))
        value, end = _DECODER.raw_decode(text, start)
        yield _Member(name, value, start, end)
        at = _skip(text, end)
        if text[at] == "}":
            return _end(text, at + 1)
        at = _skip(text, _expect(text, at, ","))


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _expect(text: str, at: int, sign: str) -> int:
    if text[at] != sign:
        raise ValueError(at)
    return at + 1


def _end(text: str, at: int) -> None:
    if _skip(text, at) != len(text):
        raise ValueError(at)


def _tables(value: object) -> list[dict[str, Any]]:
    items = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]


def _strings(value: object) -> list[str]:
    """A text, or the texts of a list, of which each is asked by itself."""
    if isinstance(value, str):
        return [value]
    return [each for each in cast("list[object]", value) if isinstance(each, str)] if isinstance(value, list) else []


def _longest(value: object) -> int:
    return max(map(len, _strings(value)), default=0)


def _text_of(content: object) -> str:
    parts = (str(part.get("text", "")) for part in _tables(content) if part.get("type") in _TEXTS)
    return "\n".join((*_strings(content), *parts))


def _is_results(content: object) -> bool:
    parts = _tables(content)
    return bool(parts) and all(part.get("type") == _RESULT for part in parts)


def _contents(item: dict[str, Any]) -> tuple[object, ...]:
    """What was said in one item, and what tools returned, which stands beside it or inside it."""
    said = item.get("content")
    return said, item.get("output"), *(part.get("content") for part in _tables(said))


def _chars(item: dict[str, Any]) -> int:
    calls = [*_tables(item.get("tool_calls")), *(each for each in (item, *_tables(item.get("content"))) if each.get("type") in _CALLS)]
    return sum(len(_text_of(content)) for content in _contents(item)) + (len(json.dumps(calls)) if calls else 0)
