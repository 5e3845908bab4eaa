"""What is wider than the screen: addresses, paths and code stay in one piece, and no row of a growing answer is left behind."""

from __future__ import annotations

import io
import os
import re
import sys

import pytest
from rich.console import Console

from bots.repl.shown.rows import is_refolding, rows_at, without_ends
from bots.repl.shown.screen import Screen
from tests.bots.terminal import needs_tmux, terminal

ADDRESS = "https://example.org/projects/variet/issues?state=open&label=bug&sort=newest"
PATH = "/srv/shares/variet/calendars/private/2026/november/birthdays.ics"
COMMAND = "rsync -av --delete --exclude=.git /srv/data/photos backup:/x"
GROWING = """
import itertools, os, sys, time, tty
from bots.repl.shown.screen import Screen

tty.setcbreak(0)
screen = Screen(clock=itertools.count(1).__next__)
for number in range(20):
    screen.line(f"said before {number}")
for piece, width in zip(sys.argv[1::2], sys.argv[2::2]):
    while os.get_terminal_size().columns != int(width):
        time.sleep(0.01)
    screen.grow(piece)
    sys.stdin.read(1)
screen.settle()
"""


def _written(text: str, *, width: int = 40, is_block: bool = False) -> list[str]:
    shown = io.StringIO()
    screen = Screen(Console(file=shown, width=width, height=24, force_terminal=True, color_system=None, _environ={"TERM": "xterm"}))
    if is_block:
        screen.block(text)
    else:
        screen.settle(text)
    return [line.rstrip() for line in shown.getvalue().split("\n") if line.strip()]


@pytest.mark.parametrize("word", [ADDRESS, PATH, f"({ADDRESS}),"])
def test_a_finished_long_word_is_one_piece_and_what_is_around_it_is_folded(word: str) -> None:
    before = "What you asked for is said in this issue"
    after = "and nowhere else that anybody could have known about."
    folded = [before, word, "and nowhere else that anybody could have", "known about."]
    assert _written(f"{before} {word} {after}") == folded
    assert _written(f"{before} {word} {after}", is_block=True) == folded
    assert _written(f"- {before} {word}")[-1] == f"   {word}"
    assert _written(f"> {before} {word}")[-1] == f"▌ {word}"
    assert _written(f"1. x\n   - `{word}`") == [" 1 x", f"    • {word}"]


def test_further_lines_of_a_block_keep_their_place() -> None:
    assert _written(f"one\n   {PATH}\ntwo {PATH} {PATH}\n\nthree", is_block=True) == ["one", f"   {PATH}", "two", PATH, PATH, "three"]


def test_sentences_without_blanks_are_folded_at_the_items_place_as_they_were() -> None:
    assert _written(f"- {'维基百科' * 12}") == [f" • {'维基百科' * 4}维基", f"   {'百科维基' * 4}百科", f"   {'维基百科' * 3}"]


def test_code_within_lists_and_quotes_is_one_line_as_it_is_elsewhere() -> None:
    for text, line in (
        (f"- x\n\n  ```sh\n  {COMMAND}\n  ```", f"   {COMMAND}"),
        (f"1. x\n   - y\n\n     ```sh\n     {COMMAND}\n     ```", f"      {COMMAND}"),
        (f"> ```sh\n> {COMMAND}\n> ```", f"▌ {COMMAND}"),
    ):
        assert line in _written(text)


def test_no_terminal_is_told_what_an_address_opens() -> None:
    shown = io.StringIO()
    console = Console(file=shown, width=40, force_terminal=True, color_system="256", _environ={"TERM": "xterm-256color"})
    Screen(console).settle(f"[here]({ADDRESS}) and <{ADDRESS}> and {ADDRESS}")
    assert "\x1b]" not in shown.getvalue()
    assert re.sub(r"\x1b\[[\d;]*m", "", shown.getvalue()).count(ADDRESS) == 4


def test_only_a_terminal_that_is_known_to_fold_anew_is_taken_for_one() -> None:
    assert is_refolding({"TERM": "xterm-kitty"})
    assert is_refolding({"TERM": "screen", "TMUX": "/tmp/x"})
    assert is_refolding({"TERM": "xterm-256color", "VTE_VERSION": "7600"})
    for others in (
        {"TERM": "xterm-256color"},
        {"TERM": "xterm-256color", "VTE_VERSION": "7600", "XTERM_VERSION": "XTerm(390)"},
        {"TERM": "st-256color", "VTE_VERSION": "7600"},
        {"TERM": "screen", "TMUX": "/tmp/x", "STY": "1.pts-0"},
        {"TERM": "xterm-256color", "TMUX": "/tmp/x"},
        {},
    ):
        assert not is_refolding(others)


def test_rows_are_never_more_than_a_terminal_can_have_made_of_the_lines() -> None:
    assert rows_at(["x" * 80, "", "\x1b[1m" + "x" * 30 + "\x1b[0m"], 80, 30) == 5
    assert rows_at(["x" * 90], 80, 80) == 1
    assert rows_at(["x" * 40], 40, 80) == 1
    for narrow in ("👍🏽", "👩‍💻", "🇩🇪", "❤️", "🏳️‍🌈", "⌚\ufe0e"):
        assert rows_at([narrow * 10], 80, 20) == 1
    assert without_ends("a  \n \x1b[35m b   \x1b[0m\n") == "a\n \x1b[35m b\x1b[0m\n"


def _grown(*pieces: str, widths: tuple[int, ...], environment: dict[str, str]) -> str:
    arguments = [str(each) for pair in zip(pieces, widths, strict=True) for each in pair]
    command = [sys.executable, "-c", GROWING, *arguments]
    here = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    with terminal(command, {"PYTHONPATH": here, "LC_ALL": "C.UTF-8", **environment}) as window:
        for piece, width in zip(pieces, widths, strict=True):
            window.resize(width)
            window.see(piece.split()[-1])
            window.press("x")
        return window.see_end()


@needs_tmux
def test_emoji_that_a_terminal_draws_wider_leave_no_rows_behind() -> None:
    hands = "👍🏽👩‍💻❤️" * 12
    shown = _grown(f"begin {hands} {hands}\none", "\ntwo", "\nthree", "\nfour", widths=(80,) * 4, environment={})
    assert (shown.count("begin"), shown.count("said before")) == (1, 20)


@needs_tmux
def test_a_window_that_gets_narrower_and_wider_leaves_no_rows_behind_and_takes_none() -> None:
    words = " ".join(["begin", *(f"word{number}" for number in range(100, 150))])
    shown = _grown(f"{words} one", " two", " three", " four", widths=(80, 50, 33, 70), environment={})
    assert (shown.count("begin"), shown.count("word149"), shown.count("said before")) == (1, 1, 20)


@needs_tmux
def test_a_terminal_that_is_not_known_loses_nothing_of_what_was_there() -> None:
    words = " ".join(f"word{number}" for number in range(100, 150))
    shown = _grown(f"{words} one", " two", " three", widths=(80, 50, 33), environment={"STY": "1.x"})
    assert shown.count("said before") == 20
