"""Which instance is asked first: those that failed lately rest, and cost nothing as long as another one answers.

Pure: the clock comes in. A resting instance is asked last, not never, because a house often has one alone.
"""

from __future__ import annotations

from dataclasses import dataclass

FIRST_REST_S = 30.0
LONGEST_REST_S = 600.0
"""Each failure in a row doubles the rest, up to this."""


@dataclass(frozen=True)
class _Rest:
    failures: int
    until: float


class Circuit:
    """The instances in the order in which they are asked."""

    def __init__(self, urls: tuple[str, ...]) -> None:
        self._urls = urls
        self._rests: dict[str, _Rest] = {}

    def order(self, now: float) -> tuple[str, ...]:
        """Those that are well, as configured, then those that rest, that whose rest ends first at the front.

        Args:
            now: seconds of a clock that never goes back.
        """
        return tuple(sorted(self._urls, key=lambda url: self._rest_until(url, now)))

    def failed(self, url: str, now: float, rest_s: float = 0.0) -> None:
        """It gave no answer; `rest_s` is how long it asked to be left alone."""
        failures = self._rests[url].failures + 1 if url in self._rests else 1
        rest = max(FIRST_REST_S * 2.0 ** min(failures - 1, 10), rest_s)
        self._rests[url] = _Rest(failures, now + min(rest, LONGEST_REST_S))

    def answered(self, url: str) -> None:
        self._rests.pop(url, None)

    def _rest_until(self, url: str, now: float) -> float:
        rest = self._rests.get(url)
        return rest.until if rest is not None and rest.until > now else 0.0
