"""Which files a search is for, what it says of those it passed over, and how it goes through one that is too long to be held."""

from __future__ import annotations

import re
import shutil
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_servers.errors import Refusal
from mcp_servers.workspace.folders.textual import decoded
from mcp_servers.workspace.looking import searching
from mcp_servers.workspace.looking.finding import Words
from mcp_servers.workspace.looking.forms import Form
from mcp_servers.workspace.looking.long_files import LongFile
from mcp_servers.workspace.model import Entry, Match, Place
from tests.mcp_servers.workspace.desk import Desk

TOP = Place(0, (), ".")
LONG_BYTES = 3 * 1024 * 1024


@pytest.fixture(params=["walking", "ripgrep"])
def desk(tmp_path: Path, request: pytest.FixtureRequest) -> Generator[Desk]:
    rg = shutil.which("rg")
    if request.param == "ripgrep" and rg is None:
        pytest.skip("ripgrep is not installed")
    with Desk(tmp_path, rg=rg if request.param == "ripgrep" else None) as desk:
        yield desk


@pytest.mark.parametrize("glob", ["*.py", "**/*.py", "*.{py,ts}", "./*.py", "*.ts, *.py", "*.py,*.ts", "/app.py", "{app,b{c,d}}.py"])
def test_a_form_is_read_as_editors_and_ripgrep_read_it(desk: Desk, glob: str):
    desk.write("app.py", "def b():\n")
    assert desk.text("search_files", pattern="def b", glob=glob).startswith("1 match ")


@pytest.mark.parametrize(
    ("said", "path", "fits"),
    [
        ("**/tests/**/*.py", "tests/a.py", True),
        ("**/tests/**/*.py", "src/tests/deep/a.py", True),
        ("**/tests/**/*.py", "src/a.py", False),
        ("src/**", "src/a/b.c", True),
        ("src/", "src/a/b.c", True),
        ("src/*.{c,h}", "src/a.h", True),
        ("lib/*.c", "src/lib/a.c", True),
        ("*.c", "src/lib/a.h", False),
        ("a,b{1,2}.txt", "a,b{1,2}.txt", True),
        ("", "anything", True),
    ],
)
def test_what_has_a_form(said: str, path: str, fits: bool):
    place = Place(0, tuple(path.split("/")), path)
    assert Form(said, Place(0, ("src",), "src")).fits(place) is fits


def test_a_form_that_stands_for_very_many_is_refused(desk: Desk):
    said = "{a,b}" * 10
    assert desk.refusal("search_files", pattern="x", glob=said) == f'The form "{said}" stands for too many others. Give a simpler one.'
    assert "stands for too many others" in desk.refusal("search_files", pattern="x", glob="{" + "a," * 40_000)


def test_a_form_that_no_file_has_is_told(desk: Desk):
    desk.write("app.py", "def b():\n")
    assert desk.text("search_files", pattern="def b", glob="*.zig") == 'Nothing matches "def b".\nNo file has the form "*.zig".'
    assert desk.text("search_files", pattern="def b", glob="*.zig", path="app.py").endswith('No file has the form "*.zig".')
    assert desk.text("search_files", pattern="other", glob="*.py") == 'Nothing matches "other".'


def test_a_file_that_is_too_long_to_be_searched_with_others_is_told_and_searched_alone(desk: Desk):
    desk.write("logs/big.log", "x" * 99 + "\n" + "y\n" * (LONG_BYTES // 2) + "ERROR here\nend\n")
    desk.write("huge.log", "ÿ\n".encode("latin-1") + b"y\r\n" * (LONG_BYTES // 2) + "Fähler ERROR\r\nend\r\n".encode())
    desk.write("ignored/big.log", "y\n" * LONG_BYTES)
    desk.write(".gitignore", "ignored\n")
    sentence = "Not searched: 2 that are no text, too long, secret or not readable."
    named = r"Too long to be searched with others, give one as the path:\n<<<abc read [^\n]+\nhuge.log\nlogs/big.log\n>>>abc"
    assert re.fullmatch(f'Nothing matches "ERROR".\n{sentence}\n{named}', desk.text("search_files", pattern="ERROR"))
    assert "Not searched" not in desk.text("search_files", pattern="ERROR", glob="*.py")
    number = LONG_BYTES // 2 + 2
    assert f"  {number}: ERROR here" in desk.text("search_files", pattern="ERROR", path="logs/big.log")
    text = desk.text("search_files", pattern="ERR[O]R", regex=True, context="1", path="huge.log")
    assert f"  {number - 1}- y\n  {number}: Fähler ERROR\n  {number + 1}- end\n" in text


def test_the_names_of_files_that_are_too_long_are_told_as_what_outsiders_wrote(desk: Desk):
    for name in ("b", "c", "d", "Do what I say"):
        desk.write(name, "y\n" * (LONG_BYTES // 2))
    lines = desk.text("search_files", pattern="ERROR").split("\n")
    assert lines[2] == "Too long to be searched with others (3 of 4), give one as the path:"
    assert lines[4:] == ["Do what I say", "b", "c", ">>>abc"]


def test_the_names_of_folders_that_could_not_be_listed_are_told_as_what_outsiders_wrote(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    desk.write("src/shut/Do what\nI say/app.py", "")
    entries = desk.workspace.entries

    def shut(place: Place) -> list[Entry]:
        if place.name.startswith("Do"):
            raise Refusal("It cannot be opened.")
        return entries(place)

    monkeypatch.setattr(desk.workspace, "entries", shut)
    lines = desk.text("list_files", depth="5").split("\n")
    assert lines[lines.index(">>>abc") + 1 :][0] == "Could not be listed:"
    assert lines[-2:] == ["src/shut/Do what<U+000A>I say", ">>>abc"]
    assert "could not be listed" not in desk.text("list_files", path="src", depth="1").lower()


def test_a_search_through_one_file_ends_with_its_time_and_says_how_far_it_came(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    desk.write("huge.log", "y\n" * (LONG_BYTES * 3 // 4) + "ERROR\n")
    monkeypatch.setattr(searching, "BOUND_S", -1.0)
    text = desk.text("search_files", pattern="ERROR", path="huge.log")
    assert text.endswith("huge.log was searched up to line 524288 only. Run a command that searches the rest.")


def test_a_search_through_one_file_keeps_no_more_than_some_of_its_lines(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    desk.write("dump.json", f"ERROR{'y' * 65_530}\n" * 80)
    monkeypatch.setattr(searching, "MAX_BYTES", 1 << 20)
    text = desk.text("search_files", pattern="ERROR", path="dump.json")
    assert text.endswith("dump.json was searched up to line 32 only. Run a command that searches the rest.")


def test_a_file_whose_disk_fails_while_it_is_searched_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    def failing(*_: object) -> Generator[list[Match]]:
        yield [Match(TOP, 1, "ERROR")]
        raise OSError

    desk.write("huge.log", "y\n" * LONG_BYTES)
    monkeypatch.setattr(LongFile, "matches", failing)
    text = desk.text("search_files", pattern="ERROR", path="huge.log")
    assert "  1: ERROR" in text and "Not searched: 1 that are no text, too long, secret or not readable." in text


lines = st.lists(st.text(st.sampled_from("ab ä€\x0c"), max_size=4), max_size=30)


@given(lines, st.sampled_from(["\n", "\r\n", "\r"]), st.booleans(), st.integers(1, 9), st.integers(0, 3))
def test_a_file_that_comes_in_parts_has_the_lines_and_the_matches_of_the_whole(
    bodies: list[str], end: str, is_open: bool, size: int, context: int
):
    data = end.join([*bodies, *([] if is_open else [""])]).encode()
    whole = decoded(data)
    assert whole is not None
    plain = [line.rstrip("\r\n") for line in whole.lines]
    file = LongFile(TOP, [data[at : at + size] for at in range(0, len(data), size)])
    found = [match for part in file.matches(Words("a", ignores_case=False).found, context, 100) for match in part]
    assert found == [
        Match(TOP, at + 1, line, tuple(plain[max(0, at - context) : at]), tuple(plain[at + 1 : at + 1 + context]), line.find("a"))
        for at, line in enumerate(plain)
        if "a" in line
    ]
    assert file.searched == len(plain)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"\xff\xfe" + "ä needle\r\n".encode("utf-16-le"), ["ä needle"]),
        (b"\xef\xbb\xbf" + "ä needle".encode(), ["ä needle"]),
        ("ä needle\n€ needle".encode("latin-1", "replace"), ["ä needle", "? needle"]),
        (b"bin\x00 needle", []),
        (b"", []),
    ],
)
def test_the_encoding_of_a_file_in_parts_is_that_of_its_beginning_or_of_the_line(data: bytes, found: list[str]):
    file = LongFile(TOP, [data[at : at + 7] for at in range(0, len(data), 7)])
    shown = [match.line for part in file.matches(Words("needle", ignores_case=False).found, 0, 100) for match in part]
    assert (shown, file.is_text) == (found, data != b"bin\x00 needle")
