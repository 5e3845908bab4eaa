"""A streamed answer parted into what was thought and what was said, for servers that pass a model's thinking tags on as text.

Thoughts come first in an answer or not at all, so a tag further in is text. An end without a beginning ends thoughts only where nothing was
said before it; further in it does so only where the model's template opens the thinking itself, which `agent.engine.templates` finds out:
an answer that talks about the tag must not lose its first half.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_ANALYSIS = "<|channel|>analysis<|message|>"
"""Before gpt-oss's thoughts. A call may follow them as well as an answer, and before either there may be more of them."""
_TAGS = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<reasoning>": "</reasoning>",
    "<seed:think>": "</seed:think>",
    "[THINK]": "[/THINK]",
    "<|channel>thought": "<channel|>",
    _ANALYSIS: "<|channel|>final<|message|>",
    "◁think▷": "◁/think▷",
    "<|inner_prefix|>": "<|inner_suffix|>",
    "<|START_THINKING|>": "<|END_THINKING|>",
}
_BOUNDS = (*_TAGS, *_TAGS.values())
_ENDS = re.compile("|".join(re.escape(end) for end in _TAGS.values()))
_LONGEST = max(len(end) for end in _TAGS.values())
"""Only the end of what was thought may be the beginning of a tag: to look through all of it at each piece would take longer and longer."""

_MORE = re.compile(rf"<\|end\|>\s*+(?:<\|start\|>assistant)?+{re.escape(_ANALYSIS)}")
_END_OF_ANALYSIS = re.compile(
    r"(?:<\|end\|>\s*+(?:<\|start\|>assistant)?+)?+<\|channel\|>final<\|message\|>"
    rf"|<\|end\|>(?!\s*+(?:<\|start\|>assistant)?+{re.escape(_ANALYSIS)})"
)
_BEHIND_ANALYSIS = tuple(start + head for start in ("", "<|start|>assistant") for head in (_ANALYSIS, _TAGS[_ANALYSIS]))
"""What is waited for behind the end of one message: it decides whether that ends the thoughts, and where."""


def _end_in(text: str, closer: str) -> re.Match[str] | None:
    """Where thoughts end that are closed so; None where they do not."""
    return (_END_OF_ANALYSIS if closer == _TAGS[_ANALYSIS] else re.compile(re.escape(closer))).search(text)


def _is_undecided(end: re.Match[str]) -> bool:
    """Whether what follows may yet turn out to be more thoughts, or to belong to their end."""
    rest = end.string[end.end() :].lstrip()
    return end.group() == "<|end|>" and any(head.startswith(rest) for head in _BEHIND_ANALYSIS)


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
            opener = next((tag for tag in _BOUNDS if begun.startswith(tag)), None)
            if opener is None:
                is_open = any(tag.startswith(begun) for tag in _BOUNDS)
                return "" if is_open else self._speak(begun if self._closer else self._held)
            self.is_thinking, self._closer = True, _TAGS.get(opener, opener)
        end = _end_in(self._held, self._closer)
        if end is None or _is_undecided(end):
            self._held = self._held[-_LONGEST:] if end is None else self._held[end.start() :]
            return ""
        self.is_thinking, rest = False, self._held[end.end() :]
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
                inner = begun.removeprefix(opener)
                end = _end_in(inner, closer)
                thought, said = (inner, "") if end is None else (inner[: end.start()], inner[end.end() :])
                return (_MORE.sub("\n", thought) if opener == _ANALYSIS else thought).strip(), said.lstrip()
        end = _ENDS.match(begun)
        return ("", begun[end.end() :].lstrip()) if end else ("", raw)


@dataclass
class Inside:
    """Takes an answer that begins inside thoughts, because its prompt ended there, and gives on what comes after their end."""

    _held: str = ""
    _is_thinking: bool = True
    _has_spoken: bool = False

    def feed(self, piece: str) -> str:
        """Take the next piece in; what of it was said."""
        if self._has_spoken:
            return piece
        self._held += piece
        if self._is_thinking:
            end = _ENDS.search(self._held)
            if end is None:
                self._held = self._held[-_LONGEST:]
                return ""
            self._is_thinking, self._held = False, self._held[end.end() :]
        said = self._held.lstrip()
        self._has_spoken = bool(said)
        return said


def parted_at_end(text: str) -> tuple[str, str] | None:
    """An answer whose thinking the template may have opened: thoughts, and what was said; None where no thinking ends in it."""
    end = _ENDS.search(text)
    if end is None or any(tag in text[: end.start()] for tag in _TAGS):
        return None
    return text[: end.start()].strip(), text[end.end() :].lstrip()


def opens_thoughts(prompt: str) -> bool:
    """Whether a prompt ends where thoughts begin, so that an answer to it begins inside them."""
    return prompt.rstrip().endswith(tuple(_TAGS))
