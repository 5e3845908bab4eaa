"""Search values: results, and the engines that gave none.

Pure. Text in these values has already been cleaned of characters that hide.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """One page that was found. `site` is its host without `www.`."""

    title: str
    url: str
    site: str
    snippet: str


@dataclass(frozen=True)
class Answer:
    """What one instance answered; `silent` names the engines that did not answer it."""

    results: tuple[Result, ...]
    silent: tuple[str, ...] = ()
