"""A search through one file that is too long to be held: its lines part by part, each looked at once, with the lines around a match.

Pure: the bytes come in. A mark at the beginning tells the encoding; else a line that is not UTF-8 is Latin-1.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Iterator, Sequence

from mcp_servers.workspace.folders.textual import body_of, encoding_of, split_lines
from mcp_servers.workspace.model import Match, Place

MAX_LINE_CHARS = 4 * 1024 * 1024
"""A longer one is no line that anyone wrote."""


class LongFile:
    """The lines of one file.

    Args:
        place: its name in what is found.
        chunks: its bytes.
    """

    def __init__(self, place: Place, chunks: Iterable[bytes]) -> None:
        self._place = place
        self._chunks = chunks
        self.searched = 0
        """Lines that were looked at."""
        self.is_text = True
        self.is_whole = False
        """Whether its end was reached."""

    def matches(self, find: Callable[[Sequence[str]], list[tuple[int, int]]], context: int, most: int) -> Iterator[list[Match]]:
        """What each part brings, and no more of it than `most`; `find` tells which lines match, and where in them.

        1. Lines whose next ones have not come yet wait, so that a match never lacks those around it.
        2. Of what was looked at, as many lines stay as the next match may show.
        """
        window: list[str] = []
        begin = 0
        for lines, is_last in self._parts():
            window += lines
            end = len(window) if is_last else max(begin, len(window) - context)  # 1
            first = self.searched - begin
            found = find(window[begin:end])
            self.searched += end - begin
            matches: list[Match] = []
            for number, start in found[:most]:
                at = begin + number - 1
                before, after = window[max(0, at - context) : at], window[at + 1 : at + 1 + context]
                matches.append(Match(self._place, first + at + 1, window[at], tuple(before), tuple(after), start))
            yield matches
            kept = max(0, end - context)  # 2
            window, begin = window[kept:], end - kept

    def _parts(self) -> Iterator[tuple[list[str], bool]]:
        """Whole lines without their ends, and whether they are the last ones."""
        pending = ""
        decoder: codecs.IncrementalDecoder | None = None
        for chunk in self._chunks:
            if decoder is None:
                encoding, mark = encoding_of(chunk)
                if encoding is None:
                    self.is_text = False
                    return
                decoder = codecs.getincrementaldecoder(encoding)("surrogateescape" if encoding == "utf-8" else "replace")
                chunk = chunk[len(mark) :]
            text = pending + decoder.decode(chunk)
            cut = max(text.rfind("\n"), text.rfind("\r", 0, -1)) + 1  # a CR at the very end may be the half of a CRLF
            pending = text[cut:]
            if cut:
                yield [_line(line) for line in split_lines(text[:cut])], False
            if len(pending) > MAX_LINE_CHARS:
                return
        self.is_whole = True
        yield [_line(line) for line in split_lines(pending + (decoder.decode(b"", final=True) if decoder else ""))], True


def _line(line: str) -> str:
    body = body_of(line)
    if body.isascii():
        return body
    try:
        body.encode()
    except UnicodeEncodeError:
        return body.encode("utf-8", "surrogateescape").decode("latin-1")
    return body
