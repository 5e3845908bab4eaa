"""Pages that were read a short while ago, so that going on in one does not fetch it again.

Pure: the clock comes in. Kept in memory alone; bounded in age, in characters and in number, the least lately used go first.
"""

from __future__ import annotations

from collections import OrderedDict

from mcp_servers.searxng.model import Page

MAX_AGE_S = 900.0
"""A person reads on within a quarter of an hour; a page that is older is fetched anew."""
MAX_CHARS = 8_000_000
MAX_PAGES = 200


class PageCache:
    """Pages by the address that was asked for."""

    def __init__(self, *, max_age_s: float = MAX_AGE_S, max_chars: int = MAX_CHARS, max_pages: int = MAX_PAGES) -> None:
        self._bounds = (max_age_s, max_chars, max_pages)
        self._pages: OrderedDict[str, tuple[float, Page]] = OrderedDict()
        self._chars = 0

    def get(self, url: str, now: float) -> Page | None:
        """The page, unless it is too old.

        Args:
            url: as it was asked for.
            now: seconds of a clock that never goes back.
        """
        held = self._pages.get(url)
        if held is None:
            return None
        if now - held[0] > self._bounds[0]:
            self._drop(url)
            return None
        self._pages.move_to_end(url)
        return held[1]

    def put(self, url: str, page: Page, now: float) -> None:
        self._drop(url)
        self._pages[url] = (now, page)
        self._chars += len(page.quoted.text)
        while self._pages and (self._chars > self._bounds[1] or len(self._pages) > self._bounds[2]):
            self._drop(next(iter(self._pages)))

    def _drop(self, url: str) -> None:
        held = self._pages.pop(url, None)
        if held is not None:
            self._chars -= len(held[1].quoted.text)
