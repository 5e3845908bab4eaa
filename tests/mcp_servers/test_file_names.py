"""A file that goes with a mail has a name that names a file and nothing else, on whatever system it is put down."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_servers.mailbox.message.attachments import attachments_of
from mcp_servers.mailbox.message.file_names import file_name
from mcp_servers.mailbox.message.passing_on import enclosed

NAMES = {
    "CON.eml": "_CON.eml",
    "nul.txt": "_nul.txt",
    "COM1": "_COM1",
    "lpt\u00b9.tar.gz": "_lpt\u00b9.tar.gz",
    "aux .txt": "_aux .txt",
    "CONOUT$": "_CONOUT$",
    "nul:stream": "nul stream",
    "prn:": "_prn",
    "console.txt": "console.txt",
    "COM10.txt": "COM10.txt",
    "company.pdf": "company.pdf",
    "plan.pdf.": "plan.pdf",
    "plan.pdf . .": "plan.pdf",
    " plan.pdf": "plan.pdf",
    "..": "file",
    ". .": "file",
    "": "file",
    "???": "file",
    "../../etc/passwd": ".. .. etc passwd",
    "C:\\plan.pdf": "C plan.pdf",
    "What's this?.pdf": "What's this .pdf",
    ".bashrc": ".bashrc",
    "Gr\u00fc\u00dfe.txt": "Gr\u00fc\u00dfe.txt",
}
DEVICES = {"con", "prn", "aux", "nul", "com1", "com9", "lpt1", "lpt9"}


@pytest.mark.parametrize("said", NAMES)
def test_a_name_that_is_no_files_becomes_one(said: str) -> None:
    assert file_name(said, otherwise="file") == NAMES[said]


def test_a_name_that_is_too_long_keeps_its_ending() -> None:
    for letter in ("a", "\u00fc", "\u4e2d", "\U0001f600"):
        name = file_name(letter * 300 + ".pdf", otherwise="file")
        assert name.endswith(f"{letter}.pdf")
        assert len(name.encode()) <= 200
    assert len(file_name("a." + "b" * 300, otherwise="file")) == 200


@given(st.text(max_size=300) | st.text("conaux1.$: /", max_size=12))
def test_whatever_is_said_it_is_a_name(said: str) -> None:
    name = file_name(said, otherwise="file")
    assert name
    assert name == name.strip()
    assert not name.endswith((".", " "))
    assert not {*name} & {*'\\/:*?"<>|\r\n\0'}
    assert name.partition(".")[0].strip().lower() not in DEVICES
    assert len(name.encode("utf-8", "replace")) <= 201
    assert file_name(name, otherwise="file") == name


def test_a_mail_and_its_files_go_on_under_such_names() -> None:
    assert enclosed(b"\r\n", "CON").name == "_CON.eml"
    assert enclosed(b"\r\n", "nul. ").name == "_nul.eml"
    assert enclosed(b"\r\n", "com1.txt").name == "_com1.txt.eml"
    parts = b"".join(
        b"--b\r\nContent-Disposition: attachment; filename*=utf-8''" + name + b"\r\n\r\nx\r\n"
        for name in (b"NUL.txt", b"COM1", b"plan.pdf.%20.", b"a%3Fb.txt", b"%2E%2E")
    )
    files = attachments_of(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + parts + b"--b--\r\n")
    assert [file.enclosure.name for file in files] == ["_NUL.txt", "_COM1", "plan.pdf", "a b.txt", "attachment 5"]


def test_a_name_that_is_shown_in_part_keeps_its_ending() -> None:
    name = "a" * 300 + ".pdf"
    part = f"Content-Type: application/x-any; name={name}\r\nContent-Disposition: attachment\r\n\r\nx"
    [file] = attachments_of(f"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n{part}\r\n--b--\r\n".encode())
    assert (len(file.name), file.name[-5:]) == (120, "a.pdf")
