"""The conversation that is sent, folded from the log: message bytes that are only ever appended to.

It keeps what chat templates rely on: each call is answered by exactly one result, in call order, and a turn always ends in an
assistant message, also when it was cancelled or failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from agent.calls.spoken import spoken
from agent.event_parts import Picture
from agent.events import CallValue, ContextTrimmed, Event, ModelReplied, ToolFinished, TurnCancelled, TurnDone, TurnFailed, TurnStarted
from agent.view.messages import assistant_message, tool_message, user_message
from agent.view.pictures import (
    LEFT_OUT,
    has_pictures,
    has_returned,
    sent_within,
    size_of,
    with_room,
    without_pictures,
    without_returned,
)
from agent.view.summary import REQUEST_TOKENS, exchange, to_summarise
from agent.view.window import BYTES_PER_TOKEN, MOST_BYTES_PER_TOKEN, TurnSize, View

ROOM_BYTES = 64 * 1024
"""Of a request, for what stands beside the messages and the tools."""
CANCELLED_NOTE = "Stopped."
"""Stands where a cancelled turn's answer would be, or behind as much of it as could be read."""
FAILED_NOTE = "I could not answer that."


class _Whole(NamedTuple):
    """A conversation before turns left it."""

    messages: tuple[bytes, ...]
    starts: dict[str, int]
    counted: tuple[int, int]
    summary: tuple[bytes, ...]


class Conversation:
    """One session's messages after the system message, oldest first."""

    def __init__(self, events: Iterable[Event] = (), *, prefix_size: int = 0) -> None:
        """See the class.

        Args:
            events: the log so far.
            prefix_size: bytes of what stands before the messages in every request, as far as it is known.
        """
        self.messages: list[bytes] = []
        self.prefix_size = prefix_size
        self._starts: dict[str, int] = {}
        """Where each turn in view begins in `messages`, oldest first."""
        self._counted = (0, 0)
        """Tokens of the last request with its answer, and how many messages those were."""
        self._open_calls: tuple[CallValue, ...] = ()
        self._results: dict[str, ToolFinished] = {}
        self._has_answer = True
        self.has_had_pictures = False
        """Whether any of them held one, in view or not any more."""
        self._summary: tuple[bytes, ...] = ()
        """What stands before the first turn in view."""
        self._whole: _Whole | None = None
        """What there was before turns left for the newest one, until a model has answered that: else they would have left for nothing."""
        for event in events:
            self.add(event)

    def add(self, event: Event) -> None:
        """Append what one stored event means for the model, if anything."""
        match event:
            case TurnStarted(turn=turn, sent_text=text, pictures=pictures):
                self._whole = None
                self._make_room(pictures)
                self._starts[turn] = len(self.messages)
                self._append(user_message(text, pictures), is_answer=False)
                self.has_had_pictures = self.has_had_pictures or bool(pictures)
            case ContextTrimmed(kept_from=turn, summary=summary, cause=cause):
                if cause != "asked" and self._whole is None:
                    self._whole = _Whole(tuple(self.messages), self._starts, self._counted, self._summary)
                self._drop_before(turn, exchange(summary))
            case ModelReplied():
                self._whole = None
                self._add_reply(event)
            case ToolFinished():
                self._add_result(event)
            case TurnDone(answer=answer):
                self._close(answer)
            case TurnFailed(turn=turn, is_unseen=True):
                self._take_out(turn)
            case TurnFailed():
                self._close(FAILED_NOTE)
            case TurnCancelled(said=said):
                self._close(f"{said.rstrip()}\n\n{CANCELLED_NOTE}" if said.strip() else CANCELLED_NOTE)
            case _:
                pass

    def view(self) -> View:
        """What would be sent now, by turn."""
        ends = [*self._starts.values(), len(self.messages)][1:]
        places = zip(self._starts.items(), ends, strict=True)
        turns = (TurnSize(turn, sum(map(size_of, self.messages[start:end]))) for (turn, start), end in places)
        tokens, counted = self._counted
        since = sum(map(size_of, self.messages[counted:])) // BYTES_PER_TOKEN
        return View(tuple(turns), tokens + since if tokens else 0, self.has_had_pictures and has_pictures(self.messages))

    def least_tokens(self) -> int:
        """About how many tokens the next request has at least; 0 where no model has answered yet."""
        tokens, counted = self._counted
        return tokens + sum(map(size_of, self.messages[counted:])) // MOST_BYTES_PER_TOKEN if tokens else 0

    def to_summarise(self, *, kept_from: str | None = None, tokens: int | None = None) -> list[bytes]:
        """What is sent to have everything summed up that stands before a turn; empty where nothing of it fits.

        Args:
            kept_from: the turn; None for the newest, empty for all there is.
            tokens: that it may be, so that of more only the newest turns are sent, behind an earlier summary; None for no bound.
        """
        end = self._end_of(kept_from)
        if tokens is None or self._tokens_of(self.messages[:end]) <= tokens:
            return to_summarise(self.messages, end)
        for start in self._starts.values():
            shown = [*self._summary, *self.messages[start:end]]
            if start < end and self._tokens_of(shown) <= tokens:
                return to_summarise(shown, len(shown))
        return []

    def tokens_to_summarise(self, *, kept_from: str | None = None) -> int:
        """About how many tokens that is, without a bound."""
        return self._tokens_of(self.messages[: self._end_of(kept_from)])

    def _end_of(self, kept_from: str | None) -> int:
        newest = next(reversed(self._starts.values()), 0)
        return newest if kept_from is None else self._starts.get(kept_from, len(self.messages))

    def _tokens_of(self, messages: Sequence[bytes]) -> int:
        """About how many tokens a request for a summary of some of the messages has."""
        tokens, counted = self._counted
        size = self.prefix_size + sum(map(size_of, self.messages[:counted]))
        share = (self.prefix_size + sum(map(size_of, messages))) / max(1, size)
        return round(tokens * share) + REQUEST_TOKENS

    def _take_out(self, newest: str) -> None:
        """Have the newest turn leave, to which nothing was said; what left for it is back."""
        if self._whole is not None:
            self.messages[:], self._starts, self._counted, self._summary = self._whole
            self._whole = None
        del self.messages[self._starts.pop(newest, len(self.messages)) :]
        self._has_answer = True

    def _drop_before(self, turn: str, summary: tuple[bytes, ...]) -> None:
        first = self._starts.get(turn) if turn else len(self.messages)
        if first is None:
            return
        before = self._size()
        # Turns that leave without a summary leave the one of those before them.
        self._summary = summary or self._summary
        self.messages[:first] = self._summary
        moved = first - len(self._summary)
        self._starts = {each: start - moved for each, start in self._starts.items() if start >= first}
        tokens, counted = self._counted
        self._counted = (round(tokens * self._size() / max(1, before)), max(0, counted - moved))

    def keep_within(self, most: int) -> None:
        """Before a request: pictures go for good, the oldest first, where a server takes no more than so many bytes.

        Those that the person put beside the newest message stay in any case.
        """
        if not self.has_had_pictures:
            return
        newest = next(reversed(self._starts.values()), 0)
        self._replace(sent_within(self.messages, most - self.prefix_size - ROOM_BYTES, newest=newest))

    def leave_out_earlier_pictures(self) -> bool:
        """Before another try of a request that was too large: pictures of all turns but the newest go for good; whether there were any.

        As the log still has them, it happens once more when the conversation is read from there.
        """
        newest = next(reversed(self._starts.values()), 0)
        if not self.has_had_pictures or not has_pictures(self.messages[:newest]):
            return False
        self._replace([*without_pictures(self.messages[:newest], LEFT_OUT), *self.messages[newest:]])
        return True

    def leave_out_returned_pictures(self) -> bool:
        """Before another try of a request that was refused: those that tools brought, in any turn, go for good; whether there were any.

        Nobody chose them: one that the server cannot read must not end every later turn too. Read from the log, it happens once more.
        """
        if not self.has_had_pictures or not has_returned(self.messages):
            return False
        self._replace(without_returned(self.messages, LEFT_OUT))
        return True

    def _make_room(self, pictures: Sequence[Picture]) -> None:
        """Before a message with pictures: what its bytes crowd out is left out for good, so that requests begin alike from then on."""
        if not pictures or not self.has_had_pictures:
            return
        self._replace(with_room(self.messages, pictures))

    def _replace(self, messages: Sequence[bytes]) -> None:
        """The same messages with fewer pictures; the tokens of what is in view shrink as its size does."""
        before = self._size()
        self.messages[:] = messages
        tokens, counted = self._counted
        self._counted = (round(tokens * self._size() / max(1, before)), counted)

    def _size(self) -> int:
        return self.prefix_size + sum(map(size_of, self.messages))

    def _add_reply(self, reply: ModelReplied) -> None:
        if reply.prompt_tokens:
            self._counted = (reply.prompt_tokens + reply.completion_tokens, len(self.messages) + 1)
        if not reply.text.strip() and not reply.calls:
            return  # Asked again, or given up: an empty message would stand between two that belong together.
        # What was generated is replayed to the byte, but for calls: a template writes those in the model's own form.
        is_thought_inside = bool(reply.raw) and not reply.calls
        text, reasoning = (reply.raw, "") if is_thought_inside else (reply.text, reply.reasoning)
        if is_thought_inside and spoken(reply.raw) == reply.text:
            reasoning = reply.reasoning  # It came in a place of its own: what the text has more is marks, and no thought.
        if reply.drops_thoughts:
            text, reasoning = reply.text, ""
        self._append(assistant_message(text, reasoning, reply.calls), is_answer=not reply.calls)
        self._open_calls, self._results = reply.calls, {}

    def _append(self, message: bytes, *, is_answer: bool) -> None:
        self.messages.append(message)
        self._has_answer = is_answer

    def _add_result(self, result: ToolFinished) -> None:
        self._results[result.call] = result
        # Results come in as tools end; the model sees them together, in the order of its calls.
        if self._open_calls and all(call.id in self._results for call in self._open_calls):
            for call in self._open_calls:
                told = self._results[call.id]
                self._make_room(told.pictures)
                self._append(tool_message(call.id, told.text, told.pictures), is_answer=False)
                self.has_had_pictures = self.has_had_pictures or bool(told.pictures)
            self._open_calls = ()

    def _close(self, answer: str) -> None:
        self._whole = None
        if not self._has_answer:
            self._append(assistant_message(answer), is_answer=True)
