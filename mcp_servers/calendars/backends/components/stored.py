"""A calendar file's text before it is read: in UTF-8, and in parts, of which those that nobody here touches stay as they were written.

Pure. Only events and time zones are read; a calendar's own properties, tasks, and whatever programs add hide no event by being odd.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace

_FOLD = re.compile(rb"\r?\n[ \t]")
_EDGE = re.compile(rb"\s*(BEGIN|END)\s*:\s*([\w-]+)\s*", re.IGNORECASE)
_ZONE_NAME = re.compile(rb"^TZID[^:\r\n]*:([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_BOM = b"\xef\xbb\xbf"
_NOTHING = b" \t\r\n\x1a\0"
"""What may stand around a calendar; old programs mark the end of a file."""
_FIRST, _LAST = b"BEGIN:VCALENDAR\r\n", b"END:VCALENDAR\r\n"
Part = tuple[bytes, bytes]
"""A component's name, and its lines."""


@dataclass(frozen=True)
class Stored:
    """A whole calendar's text, in parts."""

    read: tuple[Part, ...]
    """Events and time zones."""
    properties: bytes = b""
    """The calendar's own."""
    others: tuple[Part, ...] = ()

    @classmethod
    def of(cls, data: bytes) -> Stored | None:
        """None where it is not clear what belongs to what, as in a file that was cut off.

        Events and time zones that have a name are read. What lies in an event ends where that says so; of anything else its own end
        is enough, and only the last one may lack it.
        """
        lines = data.removeprefix(_BOM).strip(_NOTHING).replace(b"\r\n", b"\n").split(b"\n")
        if _edge(lines[0]) != (b"BEGIN", b"VCALENDAR") or _edge(lines[-1]) != (b"END", b"VCALENDAR"):
            return None
        properties: list[bytes] = []
        parts: list[tuple[bytes, list[bytes]]] = []
        within: list[bytes] = []
        is_property = False
        for line in lines[1:-1]:
            kind, name = _edge(line)
            if name == b"VCALENDAR" or (kind == b"END" and not within) or (_is_rest(line) and not (within or is_property)):
                return None
            if kind == b"BEGIN":
                if not within:
                    parts.append((name, []))
                within.append(name)
            is_property = not within
            (parts[-1][1] if within else properties).append(line)
            if kind == b"END":
                if name != within[-1] and parts[-1][0] == b"VEVENT":
                    return None
                if name in within:
                    del within[len(within) - 1 - within[::-1].index(name) :]
        whole = _closed(parts, within)
        if whole is None:
            return None
        read = tuple(part for part in whole if _is_read(*part))
        others = tuple(part for part in whole if not _is_read(*part))
        return cls(read, _joined(properties), others)

    @property
    def to_read(self) -> bytes:
        return self._calendar(self.read)

    @property
    def zones(self) -> list[tuple[Part, bytes]]:
        """Each time zone, and a calendar of it alone."""
        return [(part, self._calendar((part,))) for part in self.read if part[0] == b"VTIMEZONE"]

    @property
    def unread_zones(self) -> set[str]:
        """Names of the time zones that stay as they are, and that nothing else defines."""
        return _zone_names(self.others) - _zone_names(self.read)

    @property
    def only_zones(self) -> Stored:
        """What it keeps of time zones that are not read, for a calendar with other events."""
        return Stored((), others=tuple(part for part in self.others if part[0] == b"VTIMEZONE"))

    def without(self, zones: list[Part]) -> Stored:
        """With these left as they are."""
        return replace(self, read=tuple(part for part in self.read if part not in zones), others=(*zones, *self.others))

    def put_into(self, written: bytes) -> bytes:
        """A calendar as it is written, with all that was not read."""
        if not written.startswith(_FIRST) or not written.endswith(_LAST):
            raise ValueError("no calendar")
        return b"".join([_FIRST, self.properties, written[len(_FIRST) : -len(_LAST)], *(part for _, part in self.others), _LAST])

    @staticmethod
    def _calendar(parts: tuple[Part, ...]) -> bytes:
        return b"".join([_FIRST, *(part for _, part in parts), _LAST])


def in_utf8(content: bytes) -> bytes:
    """Lines in another encoding are what most programs wrote that did not use UTF-8; what is UTF-8 stays that."""
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Unfolded: some programs fold a line within a letter.
        return b"\n".join(map(_line_in_utf8, _FOLD.sub(b"", content).split(b"\n")))
    return content


def _line_in_utf8(line: bytes) -> bytes:
    with suppress(UnicodeDecodeError):
        return line.decode("utf-8-sig").encode()
    text = line.decode("utf-8-sig", "replace")
    # Letters that can be read as UTF-8 say that it is that, with damage: cut within a letter, for example.
    if any(letter > "\x7f" and letter != "\ufffd" for letter in text):
        return text.encode()
    with suppress(UnicodeDecodeError):
        return line.decode("cp1252").encode()
    return line.decode("latin-1").encode()


def _edge(line: bytes) -> Part:
    """`BEGIN` or `END` and of what; nothing of any other line, or of one that goes on with the one before."""
    found = None if _is_rest(line) else _EDGE.fullmatch(line)
    return (found[1].upper(), found[2].upper()) if found else (b"", b"")


def _closed(parts: list[tuple[bytes, list[bytes]]], within: list[bytes]) -> list[Part] | None:
    """The parts, the last one with the ends that it lacks; None where an event may be cut off, or lie in something else."""
    if within and parts[-1][0] in {b"VEVENT", b"VTIMEZONE"}:
        return None
    if any(_edge(line) == (b"BEGIN", b"VEVENT") for name, part in parts if name != b"VEVENT" for line in part):
        return None
    if within:
        parts[-1][1].extend(b"END:" + name for name in reversed(within))
    return [(name, _joined(part)) for name, part in parts]


def _zone_names(parts: tuple[Part, ...]) -> set[str]:
    found = [_ZONE_NAME.search(part) for name, part in parts if name == b"VTIMEZONE"]
    return {each[1].decode("utf-8", "replace").strip() for each in found if each}


def _is_rest(line: bytes) -> bool:
    return line.startswith((b" ", b"\t"))


def _is_read(name: bytes, part: bytes) -> bool:
    return name == b"VEVENT" or (name == b"VTIMEZONE" and _ZONE_NAME.search(part) is not None)


def _joined(lines: list[bytes]) -> bytes:
    return b"".join(line + b"\r\n" for line in lines)
