"""Strangers' files become text in a process that is bounded, and what is wrong with one is a sentence."""

from __future__ import annotations

import io
import os
import site
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from mcp_servers.errors import Refusal
from mcp_servers.outside.confinement import Bounds, text_of_file

WORD = '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>{}</w:body></w:document>'
TRIES = """
import signal, socket
from mcp_servers.outside.textof import give_up
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
give_up(512, 10)
for reach in (lambda: socket.create_connection(("127.0.0.1", PORT), 5), lambda: open("FILE", "wb", 0).write(b"x")):
    try:
        reach()
        print("reached")
    except OSError:
        print("refused")
"""
ROOT = Path(__file__).parents[2]
READ = "from mcp_servers.outside.confinement import Bounds, text_of_file; print(text_of_file(b'hello', 'txt', Bounds(time_s=100)))"
LOW_BYTES = 600 * 1024 * 1024
"""Less than the reader gives itself, and enough for it."""
INVITATION = b"""BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:x\r
METHOD:REQUEST\r
BEGIN:VEVENT\r
UID:1\r
SUMMARY:Dinner\r
DTSTART:20261127T190000Z\r
LOCATION:Cafe Nord\r
ATTENDEE:mailto:bo@example.org\r
ATTENDEE:mailto:cleo@example.org\r
END:VEVENT\r
END:VCALENDAR\r
"""


def docx(*paragraphs: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", WORD.format("".join(f"<w:p>{paragraph}</w:p>" for paragraph in paragraphs)))
    return packed.getvalue()


def pdf(text: str) -> bytes:
    """One page with one line, written by hand."""
    stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, places = b"%PDF-1.4\n", list[int]()
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(out))
    return out + b"xref\n0 %d\n0000000000 65535 f \n%s%s" % (len(objects) + 1, table, end)


@pytest.mark.parametrize(
    ("kind", "content", "text"),
    [
        ("pdf", pdf("Invoice 93"), "Invoice 93"),
        ("docx", docx("<w:r><w:t>One</w:t><w:tab/><w:t>two</w:t></w:r>", "<w:r><w:t>Three</w:t></w:r>"), "One\ttwo\nThree"),
        ("docx", docx("<w:r><w:rPr><w:vanish/></w:rPr><w:t>secret</w:t></w:r><w:r><w:t>seen</w:t></w:r>"), "seen"),
        ("ics", INVITATION, "Method: REQUEST\n\nSummary: Dinner\nDtstart: 2026-11-27 19:00:00+00:00\nLocation: Cafe Nord\n"
                            "Attendee: bo@example.org, cleo@example.org"),
        ("html", b"<p>seen</p><p hidden>secret</p>", "seen"),
        ("txt", "Gr\u00fc\u00dfe".encode("latin-1"), "Gr\u00fc\u00dfe"),
        ("txt", "Gr\u00fc\u00dfe".encode("utf-16"), "Gr\u00fc\u00dfe"),
    ],
    ids=["pdf", "docx", "docx with hidden text", "invitation", "html", "latin-1", "utf-16"],
)  # fmt: skip
def test_a_file_is_read_as_text(kind: str, content: bytes, text: str) -> None:
    assert text_of_file(content, kind, Bounds(time_s=100)).strip() == text


@pytest.mark.parametrize(("kind", "content"), [("pdf", b"%PDF-1.4 florp"), ("docx", b"PK florp"), ("docx", docx("<broken"))])
def test_a_damaged_file_is_said_to_be_one(kind: str, content: bytes) -> None:
    with pytest.raises(Refusal, match="damaged, locked with a password, or too big"):
        text_of_file(content, kind, Bounds(time_s=100))


def test_a_file_that_takes_too_long_says_too_much_or_needs_too_much_memory_is_ended() -> None:
    with pytest.raises(Refusal, match="takes too long"):
        text_of_file(b"x", "txt", Bounds(time_s=0.01))
    assert text_of_file(b"x" * 1_000_000, "txt", Bounds(time_s=100, output_bytes=1000)) == "x" * 1000
    if sys.platform == "linux":
        with pytest.raises(Refusal, match="too big"):
            text_of_file(b"x" * 400_000_000, "txt", Bounds(time_s=100, memory_mib=300))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no system call takes the network away")
def test_what_reads_a_strangers_file_has_no_network_and_writes_no_file(tmp_path: Path) -> None:
    if subprocess.run(["unshare", "--user", "--net", "true"], check=False, capture_output=True).returncode:
        pytest.skip("this system lets nobody have a network of their own")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        script = TRIES.replace("PORT", str(port)).replace("FILE", str(tmp_path / "written"))
        ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["refused", "refused"]


def test_a_file_is_read_where_the_packages_lie_outside_pythons_own_folders() -> None:
    """As after `pip install --user`, which an isolated Python does not look at."""
    bare = str(getattr(sys, "_base_executable", sys.executable))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), *site.getsitepackages()))}
    ran = subprocess.run([bare, "-P", "-c", READ], env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert (ran.stdout, ran.stderr) == ("hello\n", "")


@pytest.mark.skipif(os.name != "posix", reason="nothing else bounds a process")
def test_a_tighter_bound_of_the_process_stays_and_nothing_is_called_damaged() -> None:
    lowered = f"import resource\nresource.setrlimit(resource.RLIMIT_AS, ({LOW_BYTES}, {LOW_BYTES}))\n"
    ran = subprocess.run([sys.executable, "-c", lowered + READ], capture_output=True, text=True, check=False, timeout=120)
    assert (ran.stdout, ran.stderr) == ("hello\n", "")


def test_a_missing_part_of_the_installation_is_not_the_files_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    own = [place for place in sys.path if not place.endswith("site-packages")]
    monkeypatch.setattr(sys, "path", own)
    with pytest.raises(Refusal, match="a part of Variet's installation is missing"):
        text_of_file(pdf("Invoice 93"), "pdf", Bounds(time_s=100))
    monkeypatch.setattr(sys, "path", [place for place in own if Path(place) != ROOT])
    with pytest.raises(Refusal, match="a part of Variet's installation is missing"):
        text_of_file(b"hello", "txt", Bounds(time_s=100))
