"""A streamed answer parted into what was thought and what was said, for servers that pass a model's thinking tags on as text.

Thoughts come first in an answer or not at all, so a tag further in is text. Where a chat template has already opened the thinking, only its
end is seen: then everything before the end was thought.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_TAGS = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<reasoning>": "</reasoning>",
    "<seed:think>": "</seed:think>",
    "[THINK]": "[/THINK]",
}
_ENDS = re.compile(
    "|".join(re.escape(end) for end in ("</think>", "</thinking>", "</thought>", "</reasoning>", "</seed:think>", "[/THINK]"))
)


@dataclass
class Thoughts:
    """Takes an answer in pieces and gives on what is said.

    Attributes:
        is_thinking: the model has begun to think and not ended.
    """

    is_thinking: bool = False
    _held: str = ""
    _closer: str = ""
    _has_spoken: bool = False
    _raw: list[str] = field(default_factory=list[str])

    def feed(self, piece: str) -> str:
        """Take the next piece in; what of the answer can be shown now."""
        self._raw.append(piece)
        if self._has_spoken:
            return piece
        self._held += piece
        if not self.is_thinking:
            begun = self._held.lstrip()
            opener = next((tag for tag in _TAGS if begun.startswith(tag)), None)
            if opener is None:
                is_open = any(tag.startswith(begun) for tag in _TAGS)
                return "" if is_open else self._speak(begun if self._closer else self._held)
            self.is_thinking, self._closer = True, _TAGS[opener]
        _, end, rest = self._held.partition(self._closer)
        if not end:
            return ""
        self.is_thinking = False
        return self._speak(rest.lstrip()) if rest.strip() else self._wait()

    def _speak(self, text: str) -> str:
        self._has_spoken, self._held = True, ""
        return text

    def _wait(self) -> str:
        """Thinking has ended and nothing was said yet: the blank lines in between belong to neither."""
        self._held = ""
        return ""

    def parted(self) -> tuple[str, str]:
        """The whole answer so far: thoughts, and what was said."""
        raw = "".join(self._raw)
        begun = raw.lstrip()
        for opener, closer in _TAGS.items():
            if begun.startswith(opener):
                thought, end, said = begun.removeprefix(opener).partition(closer)
                return thought.strip(), said.lstrip() if end else ""
        end = _ENDS.search(raw)
        if end and not _opens(raw[: end.start()]):
            return raw[: end.start()].strip(), raw[end.end() :].lstrip()
        return "", raw


def _opens(text: str) -> bool:
    return any(tag in text for tag in _TAGS)
