"""With ripgrep a search finds what it finds without: the same files, and the same lines of them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from mcp_servers.workspace.looking.searching import Search, Wanted
from tests.fakes.ripgrep import lying_ripgrep
from tests.mcp_servers.workspace.desk import Desk

CR = "pip\rdownload\rneedle one\nplain needle two\r\n\r\nNEEDLE three\rlast of all"


@pytest.fixture(params=["walking", "ripgrep"])
def rg(request: pytest.FixtureRequest) -> str | None:
    found = shutil.which("rg")
    if request.param == "ripgrep" and found is None:
        pytest.skip("ripgrep is not installed")
    return found if request.param == "ripgrep" else None


def found(
    desk: Desk, rg: str | None, pattern: str, path: str = "", *, is_regex: bool = False, ignores_case: bool = False
) -> list[tuple[str, int, str]]:
    result = Search(desk.workspace, rg).run(Wanted(pattern, desk.workspace.place(path), is_regex=is_regex, ignores_case=ignores_case))
    assert (result.stopped, result.left_out) == ("", 0)
    return [(match.place.shown, match.number, match.line) for match in result.matches]


def test_what_a_folder_above_the_workspace_ignores_is_searched(tmp_path: Path, rg: str | None):
    (tmp_path / ".gitignore").write_text("*\n")
    with Desk(tmp_path) as desk:
        desk.write("src/a.txt", "needle\n")
        assert found(desk, rg, "needle") == [("src/a.txt", 1, "needle")]
        assert found(desk, rg, "needle", "src") == [("src/a.txt", 1, "needle")]


@pytest.mark.parametrize("path", ["", "src"])
def test_what_the_workspace_ignores_is_not_searched_wherever_the_search_begins(tmp_path: Path, rg: str | None, path: str):
    with Desk(tmp_path) as desk:
        desk.write(".gitignore", "src/gen/\n*.log\n")
        desk.write("src/deep/.gitignore", "!kept.log\nown\n")
        for name in (
            "gen/a.txt",
            "a.txt",
            "a.log",
            "deep/kept.log",
            "deep/left.log",
            "deep/own",
            "repository/.git/HEAD",
            "repository/b.log",
        ):
            desk.write(f"src/{name}", "needle\n")
        assert found(desk, rg, "needle", path) == [("src/a.txt", 1, "needle"), ("src/deep/kept.log", 1, "needle")]


def test_a_lone_cr_ends_a_line(tmp_path: Path, rg: str | None):
    with Desk(tmp_path) as desk:
        desk.write("log.txt", CR)
        one, two, three = ("log.txt", 3, "needle one"), ("log.txt", 4, "plain needle two"), ("log.txt", 6, "NEEDLE three")
        assert found(desk, rg, "needle") == [one, two]
        assert found(desk, rg, "needle", ignores_case=True) == [one, two, three]
        assert found(desk, rg, "needle", "log.txt") == [one, two]
        assert found(desk, rg, ".*needle (one|two)", is_regex=True) == [one, two]
        assert found(desk, rg, "download.needle", is_regex=True) == []


def test_an_expression_finds_the_end_of_a_line_whatever_ends_it(tmp_path: Path, rg: str | None):
    with Desk(tmp_path) as desk:
        desk.write("crlf.txt", "a needle\r\nb needle c\r\nneedle\n")
        assert found(desk, rg, "needle$", is_regex=True) == [("crlf.txt", 1, "a needle"), ("crlf.txt", 3, "needle")]
        assert found(desk, rg, "^needle$", is_regex=True) == [("crlf.txt", 3, "needle")]


def test_an_expression_that_only_ripgrep_can_read_leaves_out_what_it_cannot_number(tmp_path: Path):
    with Desk(tmp_path, rg=lying_ripgrep(tmp_path, [("log.txt", 1), ("plain.txt", 1)])) as desk:
        desk.write("log.txt", CR)
        desk.write("plain.txt", "needle\n")
        text = desk.text("search_files", pattern=r"\p{Ll}eedle", regex=True)
        assert "1 match " in text
        assert "Not searched: 1 that" in text


def test_a_line_that_ripgrep_only_says_to_hold_the_words_is_not_shown(tmp_path: Path):
    with Desk(tmp_path, rg=lying_ripgrep(tmp_path, [("log.txt", 1), ("log.txt", 2), ("other.txt", 1)])) as desk:
        desk.write("log.txt", CR)
        desk.write("other.txt", "changed meanwhile\n")
        text = desk.text("search_files", pattern="needle")
        assert text.startswith('2 matches for "needle" in 1 file')
        assert "pip" not in text
        assert "meanwhile" not in text


@pytest.mark.parametrize("is_regex", [True, False])
def test_what_a_search_leaves_out_does_not_tell_what_is_in_it(tmp_path: Path, rg: str | None, *, is_regex: bool):
    with Desk(tmp_path, rg=rg) as desk:
        desk.write(".env", "KEY=AKIAqwerty\n")
        desk.write(".ssh/config", "KEY=AKIAqwerty\n")
        os.link(desk.write("linked.txt", "KEY=AKIAqwerty\n"), tmp_path / "outside.txt")
        told = [desk.call("search_files", pattern=f"KEY=AKIA{guess}", regex=is_regex) for guess in ("q", "a")]
        texts = [str(each).replace("AKIAq", "AKIA").replace("AKIAa", "AKIA") for each in told]
    assert texts[0] == texts[1]
