"""Python's HTML parser, reading as browsers do where it does not: what never ends, comments, and declarations that nobody knows.

Pure. What a person does not see must not be read to a model, and no page may stop the reading: the parser of the library shows the text
of a comment that never ends, takes the square of the length for many of them, and raises on `<![x[`.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

_EMPTY_COMMENT = re.compile(r"-?>")
_END_OF_COMMENT = re.compile(r"--!?>")


class BrowserLike(HTMLParser):
    """To be given the whole of a page at once, by `read`."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def read(self, html: str) -> str:
        """Read it to its end.

        Returns:
            What a browser does not show of it because it never ends, such as a comment; mostly nothing.
        """
        self.feed(html)
        rest = self.rawdata
        if rest not in ("<", "</") and (rest.startswith("<") or self.cdata_elem is not None):
            self.rawdata = ""
            return rest
        self.close()
        return ""

    def parse_comment(self, i: int, report: int = 1) -> int:
        """Where the comment that begins here ends; -1 where it does not."""
        del report
        end = _EMPTY_COMMENT.match(self.rawdata, i + 4) or _END_OF_COMMENT.search(self.rawdata, i + 4)
        return end.end() if end else -1

    def parse_marked_section(self, i: int, report: int = 1) -> int:
        """Where what begins with `<![` ends: a browser takes it for a comment up to the next `>`."""
        del report
        return self.rawdata.find(">", i) + 1 or -1
