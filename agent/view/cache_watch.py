"""Whether the server still had what it had read of a conversation, and if not, whose doing that was: one line for each loss.

Every request must begin with the last one to the byte, and then the server reads only what is new. If it read more, either the bytes
differ (ours) or they are the same and the server has lost what it had (another conversation took the place, or the model was loaded anew).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from agent.calls.assemble import Reply
from agent.events import CacheLost, ContextTrimmed, Event, RouteChosen
from agent.view.messages import Prefix
from agent.view.pictures import LEFT_OUT, without_pictures

SLACK_TOKENS, SLACK_SHARE = 256, 0.05
"""What a server may read again without a word, the larger of the two: the end of a prompt is read anew, and checkpoints lie apart."""


class Sent(NamedTuple):
    """A request that was answered."""

    parts: tuple[bytes, ...]
    """Tools, system message, messages: what the server's prompt is made of."""
    tokens: int


class Difference(NamedTuple):
    part: int
    at: int
    """Byte of that part."""
    at_prompt: int
    """Byte of all parts one after the other."""


@dataclass(frozen=True)
class CacheWatch:
    """One session's last request at each place that answered it."""

    place: str = ""
    """Node and tier that answer now."""
    sent: Mapping[str, Sent] = field(default_factory=dict[str, Sent])

    def after(self, event: Event) -> CacheWatch:
        """The watch once an event has happened; what leaves the view on purpose is no loss."""
        match event:
            case RouteChosen():
                return replace(self, place=f"{event.node}/{event.tier}")
            case ContextTrimmed():
                return replace(self, sent={})
            case _:
                return self

    def take(self, turn: str, prefix: Prefix, messages: Sequence[bytes], reply: Reply) -> tuple[CacheWatch, CacheLost | None]:
        """Take in an answered request, and say what was lost.

        1. The server does not say what it had, or this is the first request that it had: nothing is known.
        2. It had what it could have: no loss.
        3. Pictures were left out on purpose: no loss.
        4. The request does not begin like the last one: ours.
        5. It does: the server's.
        """
        place = f"{self.place}/{reply.model}"
        parts = (prefix.tools, prefix.system, *messages)
        before, watch = self.sent.get(place), replace(self, sent={**self.sent, place: Sent(parts, reply.prompt_tokens)})
        if before is None or reply.processed_tokens is None:  # 1
            return watch, None
        if reply.cached_tokens >= before.tokens - max(SLACK_TOKENS, round(before.tokens * SLACK_SHARE)):  # 2
            return watch, None
        found = first_difference(before.parts, parts)
        if found is not None and parts[found.part :][:1] == without_pictures(before.parts[found.part :][:1], LEFT_OUT):  # 3
            return watch, None
        missing = f"{reply.cached_tokens} of {before.tokens} tokens were still there"
        if found is None:  # 5
            line = f"Server: {missing} although the request begins with the same bytes; {reply.processed_tokens} were read"
        else:  # 4
            line = f"Client: {missing}, because {_name(found.part)} differs from its byte {found.at} on; {reply.processed_tokens} were read"
        return watch, CacheLost(
            turn=turn,
            cause="server" if found is None else "client",
            differs_at=None if found is None else found.at_prompt,
            expected_tokens=before.tokens,
            cached_tokens=reply.cached_tokens,
            line=line,
        )


def first_difference(before: Sequence[bytes], now: Sequence[bytes]) -> Difference | None:
    """Where a request stops beginning like the one before; None where it begins with all of it."""
    start = 0
    for part, old in enumerate(before):
        new = now[part] if part < len(now) else b""
        # Mostly the very same object: bytes are made once.
        if new is not old and new != old:
            at = next((at for at, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), min(len(old), len(new)))
            return Difference(part, at, start + at)
        start += len(old)
    return None


def _name(part: int) -> str:
    return ("the tool list", "the system message")[part] if part < 2 else f"message {part - 1}"
