"""An answer on the screen: nothing of it is left out, it looks the same however slowly it came, and long code does not hold it up."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable

import pytest
from rich.console import Console

from bots.repl.shown import screen as screen_module
from bots.repl.shown.blocks import cut_finished, with_hard_breaks, without_scrolled
from bots.repl.shown.markup import Answer
from bots.repl.shown.rows import ONE_ROW_EACH
from bots.repl.shown.screen import Screen

STEPS = """\
1.  **Install:**

    *   Run it
    *   Check x

    ```python
    def f():

        return 1
    ```

    Then wait.

2.  **Done**

   ```sh
   make
   ```

After it.
"""
README = "````markdown\n# T\n\n```bash\nnpm i\n\nnpm t\n```\n\nEnd\n````\n"
REDRAWN = re.compile(r"\r((?:\x1b\[A\x1b\[2K)+)\x1b\[J")
UP = "\x1b[A"


class Shown(io.StringIO):
    """What a terminal is sent; each piece of it takes a while."""

    def __init__(self, takes_s: float = 0.0) -> None:
        super().__init__()
        self.now = 1.0
        self.drawings = 0
        self._takes_s = takes_s

    def write(self, text: str, /) -> int:
        self.now += self._takes_s
        for each in ONE_ROW_EACH:
            text = text.replace(each, "")
        self.drawings += "\x1b[" not in text
        return super().write(text)

    def stays(self) -> list[str]:
        """The lines that are left: those that were taken back are not."""
        first, *later = REDRAWN.split(self.getvalue())
        lines = first.split("\n")
        for back, text in zip(later[::2], later[1::2], strict=True):
            lines = lines[: len(lines) - 1 - back.count(UP)] + text.split("\n")
        return [line.rstrip() for line in lines if line.strip()]


def _screen(shown: Shown, width: int = 60) -> Screen:
    console = Console(file=shown, width=width, height=24, force_terminal=True, color_system=None, _environ={"TERM": "xterm"})
    return Screen(console, clock=lambda: shown.now)


def _settled(text: str, width: int = 60) -> list[str]:
    shown = Shown()
    _screen(shown, width).settle(text)
    return shown.stays()


def _streamed(pieces: Iterable[str]) -> list[str]:
    shown = Shown()
    screen = _screen(shown)
    for piece in pieces:
        screen.grow(piece)
        screen.refresh()
    screen.settle()
    return shown.stays()


def test_what_looks_like_a_tag_is_shown() -> None:
    shown = "\n".join(
        _settled("Use List<String> and <your-name>, if 0<a and b>1.\n\n<div>\nx\n</div>\n\nPress Ctrl</kbd> now.\n\n<!-- y -->\n")
    )
    for each in ("List<String> and <your-name>, if 0<a and b>1.", "<div>\nx\n</div>", "Press Ctrl</kbd> now.", "<!-- y -->"):
        assert each in shown


@pytest.mark.parametrize(
    "text", ["<http://x/%1B[2J%1B]0;y%07>", "a &#x202e;b", "# <http://x/%1B[2J>", "| a |\n|---|\n| <http://x/%1B[2J> |"]
)
def test_what_markdown_decodes_does_nothing_to_the_terminal(text: str) -> None:
    shown = Shown()
    _screen(shown).settle(text)
    plain = re.sub(r"\x1b\[[\d;]*m", "", shown.getvalue())
    assert not set(plain) & {"\x1b", "\x07", "\N{RIGHT-TO-LEFT OVERRIDE}"}


def test_a_line_end_in_a_tables_cell_is_one_and_its_tag_is_a_word_elsewhere() -> None:
    table = _settled("| Tag | What |\n|---|---|\n| <br> | first<br>second `<br>` |\n\nUse <br> here.")
    assert [line.split() for line in table[-3:]] == [["<br>", "first"], ["second", "<br>"], ["Use", "<br>", "here."]]


def test_lists_with_lists_and_code_in_them_look_the_same_however_slowly_they_came() -> None:
    assert _streamed(STEPS) == _streamed(STEPS.splitlines(keepends=True)) == _settled(STEPS)


def test_code_in_a_lists_item_keeps_its_own_indentation_alone() -> None:
    shown = _settled(STEPS)
    begin = shown.index("    • Run it")
    assert shown[begin : begin + 6] == ["    • Run it", "    • Check x", "   def f():", "       return 1", "   Then wait.", " 2 Done"]


def test_a_long_block_of_code_is_drawn_no_more_often_than_it_can_be() -> None:
    shown = Shown(takes_s=0.2)
    screen = _screen(shown)
    screen.grow("```python\n")
    for _ in range(100):
        shown.now += 0.01
        screen.grow("x\n")
        screen.refresh()
    assert shown.drawings < 10


def test_a_terminal_that_was_held_does_not_hold_the_answer_up_for_longer() -> None:
    shown = Shown()
    screen = _screen(shown)
    screen.grow("a ")
    write = shown.write

    def held(text: str) -> int:
        shown.now += 60
        return write(text)

    shown.write = held  # type: ignore[method-assign]
    shown.now += 1
    screen.grow("b ")
    shown.write = write  # type: ignore[method-assign]
    shown.now += 2
    screen.grow("c")
    assert shown.stays() == ["a b c"]


def test_of_an_open_block_only_what_fits_is_drawn_and_all_of_it_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[int] = []

    def answer(text: str, *, is_growing: bool = False) -> Answer:
        lengths.append(text.count("\n"))
        return Answer(text, is_growing=is_growing)

    monkeypatch.setattr(screen_module, "Answer", answer)
    code = "\n".join(f"x = {number}" for number in range(500))
    shown = Shown()
    screen = _screen(shown)
    screen.grow(f"Here:\n\n```python\n{code}\n")
    assert max(lengths) <= 24 + 2
    assert shown.stays()[-1] == "x = 499"
    screen.settle()
    assert shown.stays() == ["Here:", *code.split("\n")]


def test_a_block_in_a_block_ends_at_its_own_fence() -> None:
    assert {cut_finished(README[:length]).finished for length in range(len(README))} == {""}
    assert cut_finished(f"{README}\nmore").growing == "more"
    assert with_hard_breaks(README) == README
    assert _streamed(README) == ["# T", "```bash", "npm i", "npm t", "```", "End"]


def test_a_fence_deep_inside_code_is_its_text_and_one_with_words_behind_it_is_none() -> None:
    docs = '```python\ndef f():\n    """Do.\n\n    ```\n    x\n\n    ```\n    """\n```\n'
    assert cut_finished(f"{docs}\nmore") == (f"{docs}\n", "more")
    assert cut_finished(docs).finished == ""
    assert cut_finished("```x``` is code\n\nmore\n\nlast") == ("```x``` is code\n\nmore\n\n", "last")
    assert cut_finished("- ```sh\n  a\n\n  b\n  ```\n\nlast").growing == "last"


def test_only_a_block_that_is_open_is_shortened() -> None:
    assert without_scrolled("- a\n  ```\n  1\n  2\n  3", 2) == "- a\n  ```\n  2\n  3"
    assert without_scrolled("```\n1\n2\n3\n```", 2) == "```\n1\n2\n3\n```"


def test_code_is_written_as_it_is_to_be_copied() -> None:
    command = "rsync -av --delete --exclude=.git /srv/data/photos backup:/x"
    shown = io.StringIO()
    console = Console(file=shown, width=40, force_terminal=True, color_system="256", _environ={"TERM": "xterm-256color"})
    Screen(console).settle(f"```bash\n{command}\n```\n\n```python\ndef f():\n    return 1\n```")
    plain = re.sub(r"\x1b\[[\d;]*m", "", shown.getvalue()).split("\n")
    assert [line for line in plain if line] == [command, "def f():", "    return 1"]


def test_code_that_still_grows_is_no_wider_than_the_screen() -> None:
    shown = Shown()
    _screen(shown, width=10).grow(f"```\n{'x' * 25}")
    assert shown.stays() == ["x" * 10, "x" * 10, "x" * 5]
