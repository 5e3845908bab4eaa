"""How what was said is found again: what the index holds of a text, and what is asked of it.

The index knows words by the blanks between them. Letters of scripts that write none stand in it one by one, and are looked for in a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agent.sessions.rows import Found
from agent.unspaced import parted

_GAP = "\x1f"
"""Between such letters: no word for the index, in no text that is shown, and taken out again."""
_AROUND, _LETTERS_AROUND = 16, 48
"""How much is shown around a hit, in words and in letters that are words."""
# The index by name, and joined from the left: the planner would rather go through all events of the conversation, for each hit.
# What a copy took over comes last: ten copies of one conversation would be all that is found.
FIND = """SELECT said.session, s.title, said.turn, said.who, snippet(said, 0, '', '', '…', ?), e.at
       FROM said JOIN sessions s ON s.id = said.session
       LEFT JOIN events e INDEXED BY turn_starts ON e.session = said.session AND e.turn = said.turn AND e.type = 'turn_started'
       WHERE said MATCH ? ORDER BY e.seq <= s.copied, bm25(said), julianday(e.at) DESC, s.rowid DESC LIMIT ?"""


def indexed(text: str) -> str:
    """A text as the index has it. What `parted` takes for such a letter may change with a migration alone: the index is as it was."""
    return parted(text, _GAP)


def values_of(words: Sequence[str], limit: int) -> tuple[object, ...]:
    """What `FIND` is asked with: all of these words, or words that begin like them."""
    quoted = ['"' + indexed(word).replace('"', '""') + '"*' for word in words]
    around = _LETTERS_AROUND if any(_GAP in word for word in quoted) else _AROUND
    return (around, " ".join(quoted), limit)


def found_row(row: tuple[Any, ...]) -> Found:
    """A hit, from its columns."""
    session, title, turn, who, text, at = row
    return Found(session, title, turn, who, text.replace(_GAP, ""), at)
