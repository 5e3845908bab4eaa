"""The program in the child process that reads one stranger's file: it gives up what it does not need, then turns the file into text.

Run by `mcp_servers.outside.confinement` alone. The order matters: the bounds come before the first byte of the file.
"""

from __future__ import annotations

import ctypes
import io
import sys
import zipfile
from contextlib import nullcontext, suppress
from typing import Any, cast
from xml.etree import ElementTree

from mcp_servers.outside.charsets import text_of
from mcp_servers.outside.htmltext import text_of_html
from mcp_servers.outside.webpage import decoded, to_json, webpage_of

_NEW_USER, _NEW_NET = 0x10000000, 0x40000000
"""Linux's flags for a user and a network of one's own; the latter has nothing in it."""
_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
MAX_PAGES = 300
MAX_UNPACKED_BYTES = 40 * 1024 * 1024
"""A zip file can hold thousands of times its size."""


def main() -> None:
    """Arguments: kind, MiB of memory, seconds of processor time, bytes of output."""
    kind, memory_mib, cpu_s, output_bytes = sys.argv[1], *map(int, sys.argv[2:5])
    give_up(memory_mib, cpu_s)
    content = sys.stdin.buffer.read()
    readers = {"pdf": pdf_text, "docx": docx_text, "ics": ics_text, "html": html_text, "page": page_json, "txt": plain_text}
    text = readers[kind](content)
    sys.stdout.buffer.write(text.encode("utf-8", "replace")[:output_bytes])


def give_up(memory_mib: int, cpu_s: int) -> None:
    """Bound memory and processor time, write no file, have no network: as far as this system can."""
    if sys.platform == "win32":
        return
    import resource

    for bound, value in (
        (resource.RLIMIT_AS, memory_mib * 1024 * 1024),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        # Bounds that are tighter already stay; nobody may raise them.
        hard = resource.getrlimit(bound)[1]
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        # macOS refuses any bound of memory.
        with suppress(ValueError, OSError) if bound == resource.RLIMIT_AS else nullcontext():
            resource.setrlimit(bound, (most, most))
    if sys.platform == "linux":
        # Not allowed everywhere (some containers); the file's reader has no reason to call anybody, either way.
        ctypes.CDLL(None).unshare(_NEW_USER | _NEW_NET)


def pdf_text(content: bytes) -> str:
    """Its pages' text, one after the other."""
    from pypdf import PdfReader

    reader = PdfReader(io.BytesIO(content), strict=False)
    if reader.is_encrypted:
        reader.decrypt("")
    pages = [page.extract_text() for page in reader.pages[:MAX_PAGES]]
    more = [f"[{len(reader.pages) - MAX_PAGES} more pages]"] if len(reader.pages) > MAX_PAGES else []
    return "\n\n".join([*pages, *more])


def docx_text(content: bytes) -> str:
    """Its paragraphs, one a line; what is marked as hidden is left out."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive, archive.open("word/document.xml") as document:
        data = document.read(MAX_UNPACKED_BYTES + 1)
    if len(data) > MAX_UNPACKED_BYTES:
        raise ValueError("too big")
    lines: list[str] = []
    for paragraph in ElementTree.fromstring(data).iter(f"{_WORD}p"):
        pieces = [_run_text(run) for run in paragraph.iter(f"{_WORD}r")]
        lines.append("".join(pieces))
    return "\n".join(lines)


def _run_text(run: ElementTree.Element) -> str:
    if run.find(f"{_WORD}rPr/{_WORD}vanish") is not None:
        return ""
    written = {f"{_WORD}tab": "\t", f"{_WORD}br": "\n", f"{_WORD}cr": "\n"}
    return "".join(part.text or "" if part.tag == f"{_WORD}t" else written.get(part.tag, "") for part in run)


def ics_text(content: bytes) -> str:
    """Its events, each property that a person cares about on a line."""
    from icalendar import Calendar

    calendar: Any = Calendar.from_ical(content)
    blocks: list[str] = []
    for event in calendar.walk("VEVENT"):
        named = ("SUMMARY", "DTSTART", "DTEND", "RRULE", "LOCATION", "ORGANIZER", "ATTENDEE", "STATUS", "DESCRIPTION")
        lines = [f"{name.capitalize()}: {_ical_text(event[name])}" for name in named if name in event]
        blocks.append("\n".join(lines))
    method = f"Method: {calendar['METHOD']}\n\n" if "METHOD" in calendar else ""
    return method + "\n\n".join(blocks)


def _ical_text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_ical_text, cast("list[Any]", value)))
    moment = getattr(value, "dt", None)
    if moment is not None:
        return str(moment)
    raw: str = str(value) if isinstance(value, str) else value.to_ical().decode("utf-8", "replace")
    return raw.removeprefix("mailto:").removeprefix("MAILTO:")


def html_text(content: bytes) -> str:
    """What a person would see of it."""
    return text_of_html(decoded(content, ""))


def page_json(content: bytes) -> str:
    """A web page, in UTF-8 below a first line with its address, as `mcp_servers.outside.webpage` writes it."""
    url, _, html = content.decode("utf-8", "replace").partition("\n")
    return to_json(webpage_of(html, url))


def plain_text(content: bytes) -> str:
    """In the encoding that its first bytes tell, else what its letters look like."""
    return text_of(content)
