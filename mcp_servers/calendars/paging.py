"""Long lists in pages: a cursor says after which item the next page begins.

Pure. A cursor names the last item shown and not a count, so that an item that comes or goes in between neither repeats
nor hides another.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from mcp_servers.errors import Refusal

T = TypeVar("T")
PAGE = 20
"""Items on one page."""


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page. `more` items come after it; `cursor` leads to them and is empty where there are none."""

    items: tuple[T, ...]
    more: int
    cursor: str


def page_of(items: Sequence[T], cursor: str, key: Callable[[T], tuple[float, str]]) -> Page[T]:
    """The page after a cursor.

    Args:
        items: all of them, sorted by `key`.
        cursor: of the page before; empty for the first.
        key: sorts the items, and is different for each.

    Raises:
        Refusal: the cursor is none of ours.
    """
    after = _read(cursor) if cursor else None
    left = [item for item in items if after is None or key(item) > after]
    shown = tuple(left[:PAGE])
    more = len(left) - len(shown)
    return Page(shown, more, _written(key(shown[-1])) if more else "")


def _written(key: tuple[float, str]) -> str:
    return base64.urlsafe_b64encode(f"{key[0]!r}|{key[1]}".encode()).decode().rstrip("=")


def _read(cursor: str) -> tuple[float, str]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        number, mark, name = text.partition("|")
        if not mark:
            raise ValueError("no mark")
        return float(number), name
    except (ValueError, binascii.Error) as error:
        raise Refusal("This cursor is none that a search gave. Search again without one.") from error
