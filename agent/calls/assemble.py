"""Stream chunks to one reply: text, reasoning and tool calls, whose JSON arrives in pieces and several at once.

It keeps what the model wrote as it wrote it; whether the calls make sense is for `agent.calls.repair` to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from agent.calls.leaked import may_be_call
from agent.calls.spoken import spoken
from agent.calls.thoughts import Thoughts
from agent.events import CallValue
from agent.view.prompt import canonical_json
from config.vocabulary import is_table

_FIRST_HALF, _SECOND_HALF = "\ud800", "\udc00"


def sound(text: str) -> str:
    """A text whose characters are whole: two halves of one, as some servers send them, are put together; a half alone is U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _text_of(content: Any) -> str:
    """A text, or the texts of a list of parts, as some servers send one."""
    if isinstance(content, list):
        parts = [part for part in cast("list[Any]", content) if is_table(part)]
        return "".join(part["text"] for part in parts if isinstance(part.get("text"), str))
    return content if isinstance(content, str) else ""


def generated(usage: Mapping[str, Any]) -> int:
    """How many tokens a server's counts say that were generated, thoughts included.

    xAI and Google count thoughts in the total alone. Their own number is not added, because most servers have it inside the answer's.
    """
    counts = (usage.get(name) for name in ("prompt_tokens", "completion_tokens", "total_tokens"))
    read, written, total = (int(count) if isinstance(count, int | float) else 0 for count in counts)
    return max(written, total - read) if read else written


@dataclass(frozen=True)
class Reply:
    """One finished answer of a model."""

    text: str
    reasoning: str = ""
    raw: str = ""
    """The content as it came, thinking tags and all."""
    calls: tuple[CallValue, ...] = ()
    is_cut: bool = False
    """It ended because it reached its token limit, so its last call may be incomplete."""
    model: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    processed_tokens: int | None = None
    """Of the prompt, those that the server had to read; None where it does not say."""
    first_token_s: float = 0.0
    """Seconds until its text began; 0 where nothing was shown."""
    elapsed_s: float = 0.0
    money: float = 0.0
    drops_thoughts: bool = False
    """They are not sent again with the conversation: its model's template would not leave them where they were."""


@dataclass
class _CallPieces:
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list[str])


@dataclass
class Assembly:
    """Collects the chunks of one answer.

    Attributes:
        is_finished: a chunk named a finish reason; a stream that ends without one was broken off.
    """

    is_finished: bool = False
    _text: list[str] = field(default_factory=list[str])
    _thoughts: Thoughts = field(default_factory=Thoughts)
    _held: str = ""
    _is_shown: bool = False
    _reasoning: list[str] = field(default_factory=list[str])
    _calls: dict[tuple[int, int], _CallPieces] = field(default_factory=dict[tuple[int, int], _CallPieces])
    """By the server's index, and which of those that share one."""
    _half: str = ""
    """The first half of a character that came in two pieces."""
    _is_cut: bool = False
    _model: str = ""
    _usage: Mapping[str, Any] = field(default_factory=dict[str, Any])
    _timings: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def add(self, chunk: Mapping[str, Any]) -> str:
        """Take one chunk in and return what of the answer's text can be shown: neither thoughts nor what may yet be a call."""
        self._model = chunk.get("model") or self._model
        self._usage = chunk.get("usage") or self._usage
        self._timings = chunk.get("timings") or self._timings
        choices: list[dict[str, Any]] = chunk.get("choices") or []
        if not choices:
            return ""
        delta: dict[str, Any] = choices[0].get("delta") or {}
        reason: str | None = choices[0].get("finish_reason")
        if reason:
            self.is_finished = True
            self._is_cut = reason == "length"
        thought: Any = delta.get("reasoning_content") or delta.get("reasoning")
        self._reasoning.append(thought if isinstance(thought, str) else "")
        pieces: list[dict[str, Any]] = delta.get("tool_calls") or []
        for piece in pieces:
            self._add_call_piece(piece)
        text = self._whole(_text_of(delta.get("content")))
        self._text.append(text)
        return self._shown(self._thoughts.feed(text)) if text else ""

    def _whole(self, piece: str) -> str:
        piece, self._half = self._half + piece, ""
        if _FIRST_HALF <= piece[-1:] < _SECOND_HALF:
            piece, self._half = piece[:-1], piece[-1]
        return sound(piece)

    def _shown(self, said: str) -> str:
        if self._is_shown:
            return said
        self._held += said
        if may_be_call(self._held):
            return ""
        said = spoken(self._held)
        self._is_shown = bool(said.strip())
        return said if self._is_shown else ""

    def _add_call_piece(self, piece: Mapping[str, Any]) -> None:
        function: Mapping[str, Any] = piece.get("function") or {}
        id_: str = piece.get("id") or ""
        name: str = function.get("name") or ""
        call = self._calls.setdefault(self._place_of(piece.get("index"), id_, name), _CallPieces())
        call.id = call.id or id_
        # Some servers say it with every piece.
        call.name += name if name != call.name else ""
        arguments: Any = function.get("arguments") or ""
        # Some servers send them as the object that they are.
        call.arguments.append(arguments if isinstance(arguments, str) else canonical_json(arguments))

    def _place_of(self, index: object, id_: str, name: str) -> tuple[int, int]:
        """Which call a piece belongs to.

        1. Some servers leave the index out when they send whole calls: then each piece with an id is a call of its own.
        2. Others give each of them the first index: there one with another id and a name begins the next. An id alone does not, since
           some make a new one for every piece.
        3. Else the newest of its index.
        """
        if not isinstance(index, int):  # 1
            last = max((each for each, _ in self._calls), default=-1)
            index = last + 1 if id_ or last < 0 else last
        newest = max((place for place in self._calls if place[0] == index), default=(index, 0))
        known = self._calls.get(newest)
        begins = known is not None and bool(name and id_ and known.id) and id_ != known.id
        return (index, newest[1] + 1) if begins else newest  # 2, 3

    def reply(self, *, model: str = "") -> Reply:
        """What came in so far.

        Args:
            model: the physical model as the engine's header names it; the chunks' own word counts where it is empty.
        """
        thought, said = self._thoughts.parted()
        details: Mapping[str, Any] = self._usage.get("prompt_tokens_details") or {}
        tokens: int = self._usage.get("prompt_tokens") or 0
        # Every server of the OpenAI kind may tell the first; llama-server tells the second too, and older ones only that.
        cached: int | None = details.get("cached_tokens", self._timings.get("cache_n"))
        return Reply(
            text=said,
            reasoning=sound("".join(self._reasoning)) or thought,
            raw="".join(self._text),
            calls=tuple(
                CallValue(id=sound(pieces.id), name=sound(pieces.name), arguments=sound("".join(pieces.arguments)))
                for _, pieces in sorted(self._calls.items())
            ),
            is_cut=self._is_cut,
            model=model or self._model,
            prompt_tokens=tokens,
            completion_tokens=generated(self._usage),
            cached_tokens=cached or 0,
            processed_tokens=None if cached is None else tokens - cached,
        )
