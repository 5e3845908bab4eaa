"""An answer in Markdown as the chat shows it: nothing of it is left out, and code is written so that it can be copied."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Markdown
from rich.syntax import Syntax

from bots.repl.shown.blocks import with_hard_breaks
from config.plain import neutralise

# Without HTML: rich leaves out whatever looks like a tag, be it `List<String>` or <your-name>, and fails at some that only end.
_PARSER = MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"])
_LINE_END = re.compile(r"\s*<br\s*/?>\s*", re.IGNORECASE)


class _Code(CodeBlock):
    """A block of code without what is copied along with it: blanks around it and, where it may be wider than the screen, line ends."""

    is_growing = False

    @classmethod
    def create(cls, markdown: Markdown, token: Token) -> _Code:
        code = cls(token.info.partition(" ")[0] or "text", markdown.code_theme)
        code.is_growing = isinstance(markdown, Answer) and markdown.is_growing
        return code

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        code = Syntax("", self.lexer_name, theme=self.theme).highlight(str(self.text).rstrip())
        code.rstrip()
        code.justify = "default"
        # Within a list rich cuts what is too wide.
        code.no_wrap = not self.is_growing and options.max_width >= console.width
        code.overflow = "ignore" if code.no_wrap else "fold"
        yield code


class Answer(Markdown):
    """A whole answer or a part of it, to be printed without cropping.

    Args:
        text: the Markdown of it, each line of which stays one.
        is_growing: its lines are counted and drawn again, so none may be wider than the screen.
    """

    elements = Markdown.elements | {"fence": _Code, "code_block": _Code}

    def __init__(self, text: str, *, is_growing: bool = False) -> None:
        # Addresses are shown, not hidden behind words: the text is somebody else's.
        super().__init__("", hyperlinks=False)
        self.markup = with_hard_breaks(text)
        self.parsed = _PARSER.parse(self.markup)
        self.is_growing = is_growing
        for part in (part for token in self.parsed for part in token.children or ()):
            # What Markdown decodes may hold control characters again: `<http://x/%1B[2J>`, &#x202e;.
            part.content = neutralise(part.content)
        _end_lines(self.parsed)


def _end_lines(tokens: Iterable[Token]) -> None:
    """Make line ends of what models write for them in a table's cells, where Markdown has none."""
    for opening, cell in pairwise(tokens):
        if opening.type in ("td_open", "th_open") and not _LINE_END.fullmatch(cell.content):
            for part in cell.children or ():
                if part.type == "text":
                    part.content = _LINE_END.sub("\n", part.content)
