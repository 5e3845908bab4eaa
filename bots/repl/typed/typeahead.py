"""What is typed while something runs: whole lines wait in a queue, the rest waits in the next prompt, and nothing is lost.

Keys come as they are read; what they mean is decided here, so that it can be shown without a terminal.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

Wish = Literal["interrupt", "leave"]
INTERRUPT, LEAVE, ERASE, ENTER, ESCAPE, PASTE = "c-c", "c-d", ("c-h",), ("c-m", "c-j"), "escape", "<bracketed-paste>"
TAB = "c-i"
"""Keys by prompt_toolkit's names."""
PASTED_KEYS = 32
"""Nobody types so much between two looks: it was pasted at a terminal that does not mark what is."""


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
        self._is_pasting = False
        """What is read next goes on with what was pasted: a terminal gives a long text in several reads."""

    def take(self, keys: Iterable[Key], *, is_one_read: bool = False) -> list[Wish]:
        """Take keys in, in the order in which they were pressed.

        1. Ctrl-C and a lone Escape interrupt: what was queued goes back into the line, to be looked at again.
        2. Escape before another key of the same read is Alt: with Enter it is a new line.
        3. Enter queues the line; in what was pasted, it ends one of its lines.

        Args:
            keys: those.
            is_one_read: the terminal gave them all at once.
        """
        wishes: list[Wish] = []
        pressed = list(keys)
        is_pasted = self._is_pasting = is_one_read and (self._is_pasting or _is_pasted(pressed))
        for place, key in enumerate(pressed):
            is_alt = place > 0 and pressed[place - 1].name == ESCAPE
            if key.name == INTERRUPT or (key.name == ESCAPE and place == len(pressed) - 1):  # 1
                self.unqueue()
                wishes.append("interrupt")
            elif key.name == LEAVE:
                wishes.append("leave")
            elif key.name in ENTER and is_alt:  # 2
                self.text += "\n"
            elif key.name in ENTER and is_pasted:  # 3
                self.text += "" if key.name == "c-j" and place > 0 and pressed[place - 1].name == "c-m" else "\n"
            elif key.name in ENTER:
                self._enter()
            elif key.name == TAB and is_pasted:
                self.text += "\t"
            elif key.name in ERASE:
                self.text = self.text[:-1]
            elif key.name == PASTE or len(key.name) == 1:
                self.text += key.data.replace("\r\n", "\n").replace("\r", "\n")
        return wishes

    def pause(self) -> None:
        """Some time has gone by: what comes now is typed."""
        self._is_pasting = False

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


def _is_pasted(pressed: list[Key]) -> bool:
    """Several lines at once, and more than anybody types at once."""
    ends = [place for place, key in enumerate(pressed) if key.name in ENTER]
    return len(pressed) >= PASTED_KEYS and any(key.name not in ENTER for key in pressed[ends[0] :]) if ends else False
