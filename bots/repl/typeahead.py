"""What is typed while something runs: whole lines wait in a queue, the rest waits in the next prompt, and nothing is lost.

Keys come as they are read; what they mean is decided here, so that it can be shown without a terminal.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

Wish = Literal["interrupt", "leave"]
INTERRUPT, LEAVE, ERASE, ENTER, ESCAPE, PASTE = "c-c", "c-d", ("c-h",), ("c-m", "c-j"), "escape", "<bracketed-paste>"
"""Keys by prompt_toolkit's names."""


class Key(NamedTuple):
    """One key press."""

    name: str
    data: str


class TypeAhead:
    """What has been typed and not been sent."""

    def __init__(self) -> None:
        self.text = ""
        self.queue: list[str] = []
        """Whole messages, the first to be sent first."""

    def take(self, keys: Iterable[Key]) -> list[Wish]:
        """Take keys in, in the order in which they were pressed.

        1. Ctrl-C and a lone Escape interrupt: what was queued goes back into the line, to be looked at again.
        2. Escape before another key of the same read is Alt: with Enter it is a new line.
        3. Enter queues the line.
        """
        wishes: list[Wish] = []
        pressed = list(keys)
        for place, key in enumerate(pressed):
            is_alt = place > 0 and pressed[place - 1].name == ESCAPE
            if key.name == INTERRUPT or (key.name == ESCAPE and place == len(pressed) - 1):  # 1
                self.unqueue()
                wishes.append("interrupt")
            elif key.name == LEAVE:
                wishes.append("leave")
            elif key.name in ENTER and is_alt:  # 2
                self.text += "\n"
            elif key.name in ENTER:  # 3
                self._enter()
            elif key.name in ERASE:
                self.text = self.text[:-1]
            elif key.name == PASTE or len(key.name) == 1:
                self.text += key.data.replace("\r\n", "\n").replace("\r", "\n")
        return wishes

    def give_back(self, text: str) -> None:
        """Put a text before what was typed since, and what was queued behind it."""
        self.unqueue()
        self.text = "\n".join(filter(None, (text, self.text)))

    def unqueue(self) -> None:
        """What was queued is looked at again before it is sent."""
        self.text = "\n".join([*self.queue, self.text] if self.text else self.queue)
        self.queue = []

    def take_text(self) -> str:
        """What begins the next line."""
        text, self.text = self.text, ""
        return text

    def lines(self) -> list[str]:
        """As it is shown below a growing answer."""
        return [*(f"next: {text}" for text in self.queue), *([f"> {self.text}"] if self.text else [])]

    def _enter(self) -> None:
        if self.text.strip():
            self.queue.append(self.text.strip())
        self.text = ""
