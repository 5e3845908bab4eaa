"""What a line means as the answer to several questions that are on the screen together: all, none, some by number, or one by one."""

from __future__ import annotations

import re
from typing import Literal

Each = Literal["each"]
ALL, NONE, EACH = ("a", "all"), ("", "n", "no", "none"), ("o", "one")
ANSWERS = frozenset({"y", "yes", *ALL, *NONE, *EACH} - {""})
"""Words that are an answer to a question, and hardly ever a message."""
HINT = "Write a for all, n for none, o to be asked one by one, or numbers such as 1 3."


def chosen(line: str, count: int) -> frozenset[int] | Each | None:
    """Which of the questions 1 to `count` are granted.

    1. Nothing, or a no: none of them.
    2. All of them.
    3. Each is to be asked alone.
    4. Numbers, with blanks or commas between them: those, and no others.
    5. Anything else, also a yes, which could mean one or all: None, and it is asked again.
    """
    word = line.strip().lower()
    if word in NONE:  # 1
        return frozenset()
    if word in ALL:  # 2
        return frozenset(range(1, count + 1))
    if word in EACH:  # 3
        return "each"
    if re.fullmatch(r"[0-9]{1,4}([\s,]+[0-9]{1,4})*,?", word):  # 4
        numbers = frozenset(int(number) for number in re.findall(r"[0-9]+", word))
        return numbers if all(0 < number <= count for number in numbers) else None
    return None  # 5
