"""An answer in Markdown as the chat shows it: nothing of it is left out, and code is written so that it can be copied."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.markdown import BlockQuote, CodeBlock, ListItem, Markdown, Paragraph
from rich.segment import Segment
from rich.style import Style
from rich.syntax import Syntax

from bots.repl.shown.blocks import with_hard_breaks
from bots.repl.shown.folding import Unbroken
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
        code.is_growing = _is_growing(markdown)
        return code

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        code = Syntax("", self.lexer_name, theme=self.theme).highlight(str(self.text).rstrip())
        code.rstrip()
        code.justify = "default"
        code.no_wrap = not self.is_growing
        code.overflow = "ignore" if code.no_wrap else "fold"
        yield code


class _Paragraph(Paragraph):
    """Running text; once it is finished, with its long addresses in one piece each."""

    is_growing = False

    @classmethod
    def create(cls, markdown: Markdown, token: Token) -> _Paragraph:
        paragraph = cls(justify=markdown.justify or "left")
        paragraph.is_growing = _is_growing(markdown)
        return paragraph

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self.text.justify = self.justify
        yield self.text if self.is_growing else Unbroken(self.text)


class _Item(ListItem):
    """A list's item in which nothing is cut: what may be wider than the screen is folded by the terminal, as it is outside of lists."""

    def render_bullet(self, console: Console, options: ConsoleOptions) -> RenderResult:
        mark = Segment(" • ", console.get_style("markdown.item.bullet", default="none"))
        return _behind(mark, mark.cell_length, self.elements, self.style, console, options)

    def render_number(self, console: Console, options: ConsoleOptions, number: int, last_number: int) -> RenderResult:
        width = len(str(last_number)) + 2
        mark = Segment(f"{number}".rjust(width - 1) + " ", console.get_style("markdown.item.number", default="none"))
        return _behind(mark, width, self.elements, self.style, console, options)


class _Quote(BlockQuote):
    """A quote in which nothing is cut."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = _lines(self.elements, self.style, console, options.update(width=options.max_width - 4))
        for line in lines:
            yield Segment("▌ ", console.get_style(self.style))
            yield from line
            yield Segment.line()


class Answer(Markdown):
    """A whole answer or a part of it, to be printed without cropping.

    Args:
        text: the Markdown of it, each line of which stays one.
        is_growing: its lines are counted and drawn again, so none may be wider than the screen.
    """

    elements = Markdown.elements | {
        "fence": _Code,
        "code_block": _Code,
        "paragraph_open": _Paragraph,
        "list_item_open": _Item,
        "blockquote_open": _Quote,
    }

    def __init__(self, text: str, *, is_growing: bool = False) -> None:
        # Addresses are shown, not hidden behind words: the text is somebody else's. A terminal opens what it sees.
        super().__init__("", hyperlinks=False)
        self.markup = with_hard_breaks(text)
        self.parsed = _PARSER.parse(self.markup)
        self.is_growing = is_growing
        for part in (part for token in self.parsed for part in token.children or ()):
            # What Markdown decodes may hold control characters again: `<http://x/%1B[2J>`, &#x202e;.
            part.content = neutralise(part.content)
        _end_lines(self.parsed)


def _is_growing(markdown: Markdown) -> bool:
    return isinstance(markdown, Answer) and markdown.is_growing


def _behind(
    mark: Segment, width: int, shown: RenderableType, style: str | Style, console: Console, options: ConsoleOptions
) -> RenderResult:
    """An item's lines, each as far in as its mark is wide."""
    for place, line in enumerate(_lines(shown, style, console, options.update(width=options.max_width - width))):
        yield Segment(" " * width, mark.style) if place else mark
        yield from line
        yield Segment.line()


def _lines(shown: RenderableType, style: str | Style, console: Console, options: ConsoleOptions) -> Iterable[list[Segment]]:
    """What `Console.render_lines` gives, without its cut at the width."""
    return Segment.split_lines(Segment.apply_style(console.render(shown, options), console.get_style(style)))


def _end_lines(tokens: Iterable[Token]) -> None:
    """Make line ends of what models write for them in a table's cells, where Markdown has none."""
    for opening, cell in pairwise(tokens):
        if opening.type in ("td_open", "th_open") and not _LINE_END.fullmatch(cell.content):
            for part in cell.children or ():
                if part.type == "text":
                    part.content = _LINE_END.sub("\n", part.content)
