"""Text that may be shown on a terminal: whatever could move the cursor, rename the window or reorder letters becomes a visible stand-in.

Model output, tool results, mails and what a model's process prints are written by others. A single escape sequence in them could repaint
an approval or hide half a line. It lies here because commands of every package print such text.
"""

from __future__ import annotations

from itertools import chain

STAND_IN = "\N{REPLACEMENT CHARACTER}"
_BIDI = chain(range(0x202A, 0x202F), range(0x2066, 0x206A), (0x061C, 0x200E, 0x200F))
_TABLE: dict[int, str] = {
    **{code: chr(0x2400 + code) for code in range(0x20)},
    0x7F: "\N{SYMBOL FOR DELETE}",
    **dict.fromkeys(range(0x80, 0xA0), STAND_IN),
    **dict.fromkeys(_BIDI, STAND_IN),
    0x2028: "\n",
    0x2029: "\n",
    ord("\n"): "\n",
    ord("\t"): "    ",
    ord("\r"): "",
}
_FILE_TABLE = {code: shown for code, shown in _TABLE.items() if code not in {ord("\t"), 0x061C, 0x200E, 0x200F}}
_LINE_TABLE = {**_TABLE, ord("\n"): " ", 0x2028: " ", 0x2029: " "}


def neutralise(text: str) -> str:
    """Text of several lines that does nothing to a terminal but to fill it."""
    return text.translate(_TABLE)


def for_file(text: str) -> str:
    """The same where no terminal sees it now: tabs stay, and the marks that Hebrew and Arabic texts hold; they reorder nothing else."""
    return text.translate(_FILE_TABLE)


def one_line(text: str, width: int | None = None) -> str:
    """The same in one line, cut to `width` characters."""
    line = " ".join(text.translate(_LINE_TABLE).split())
    return line if width is None or len(line) <= width else line[: max(width - 1, 0)] + "…"
