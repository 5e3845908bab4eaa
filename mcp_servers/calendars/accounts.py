"""All accounts' calendars as one.

Accounts are asked side by side; one that fails is said and does not hide the others. Where none answers, that is
the answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import tzinfo
from typing import Generic, TypeVar

from mcp_servers.calendars.backends.contract import Backend, Listing
from mcp_servers.calendars.model import CalendarInfo, Event, in_order
from mcp_servers.errors import Quoting, Refusal
from mcp_servers.protocol import progress
from mcp_servers.spans import Span
from mcp_servers.wording import words_of

T = TypeVar("T")
MAX_ASKED_AT_ONCE = 8


@dataclass(frozen=True)
class Answers(Generic[T]):
    """What each account answered, and in sentences who did not."""

    of: tuple[T, ...]
    problems: tuple[str, ...] = ()


class Accounts:
    """The backends of a person, the first of them preferred.

    Args:
        backends: at least one.
        default: where new events go, `personal` or `work/Team`.
    """

    def __init__(self, backends: tuple[Backend, ...], default: str = "") -> None:
        self._backends = backends
        self._default = default

    def calendars(self) -> tuple[tuple[CalendarInfo, ...], tuple[str, ...]]:
        """All calendars, and who did not answer."""
        answers = self._ask(lambda backend: backend.calendars())
        return tuple(info for infos in answers.of for info in infos), answers.problems

    def query(self, period: Span, only: tuple[CalendarInfo, ...] = ()) -> Listing:
        """The events of a period by start, all-day ones first; of some calendars where they are named."""

        def ask(backend: Backend) -> Listing:
            names = {info.name for info in only if info.account == backend.account}
            name = next(iter(names)) if len(names) == 1 else ""
            listing = backend.query(period, name)
            return Listing(tuple(event for event in listing.events if not only or event.calendar in names), listing.problems)

        wanted = {info.account for info in only}
        answers = self._ask(ask, lambda backend: not only or backend.account in wanted)
        events = [event for listing in answers.of for event in listing.events]
        problems = [problem for listing in answers.of for problem in listing.problems]
        return Listing(tuple(sorted(events, key=in_order)), (*problems, *answers.problems))

    def attended(self, events: tuple[Event, ...]) -> tuple[Event, ...]:
        """Those that the person has not declined: the others take up no time."""
        return tuple(event for event in events if not self._is_declined(event))

    def get(self, event_id: str, zone: tzinfo) -> Listing:
        """The event with that id, wherever it is; several when several calendars have it."""
        answers = self._ask(lambda backend: backend.get(event_id, zone))
        return Listing(tuple(event for events in answers.of for event in events), answers.problems)

    def of(self, account: str) -> Backend:
        for backend in self._backends:
            if backend.account == account:
                return backend
        known = ", ".join(each.account for each in self._backends)
        raise Refusal(f'There is no calendar account "{account}". There are {known}. Name one of them.')

    def info(self, event: Event) -> CalendarInfo:
        """What is known of the calendar that an event is in."""
        for info in self.of(event.account).calendars():
            if info.name == event.calendar:
                return info
        return CalendarInfo(event.account, event.calendar)

    def named(self, words: str) -> CalendarInfo:
        """The calendar that is meant by its name; the one for new events when nothing is said.

        Raises:
            Refusal: none or several are.
        """
        if not words and not self._default:
            return self._first()
        return self.pick(words or self._default)

    def pick(self, words: str) -> CalendarInfo:
        """The calendar of that name: with its account, without, or words of it. A name that several have means none of them.

        Raises:
            Refusal: none or several are meant.
        """
        infos, problems = self.calendars()
        found = _meant(words, infos)
        if len(found) == 1:
            return found[0]
        if found:
            raise Quoting(f'"{words}" could be {" or ".join(shown_names(infos, found))}. Say which one.')
        missing = f" {' '.join(problems)}" if problems else ""
        raise Quoting(f'There is no calendar "{words}". There are {", ".join(shown_names(infos, infos))}. Name one of them.{missing}')

    def name_of(self, info: CalendarInfo) -> str:
        """The name by which that very calendar is found again."""
        [name] = shown_names(self.calendars()[0], [info])
        return name

    def _first(self) -> CalendarInfo:
        return self._backends[0].calendars()[0]

    def _is_declined(self, event: Event) -> bool:
        declined = {guest.address.lower() for guest in event.attendees if guest.status == "declined"}
        return bool(declined and declined & self.of(event.account).addresses)

    def _ask(self, question: Callable[[Backend], T], is_asked: Callable[[Backend], bool] = lambda _: True) -> Answers[T]:
        asked = [backend for backend in self._backends if is_asked(backend)]
        if len(asked) == 1:
            return Answers((question(asked[0]),))

        def answer(backend: Backend) -> T | Refusal:
            try:
                return question(backend)
            except Refusal as refusal:
                return refusal

        answers: list[T | Refusal] = []
        with ThreadPoolExecutor(MAX_ASKED_AT_ONCE) as pool:
            for one in pool.map(progress.carried(answer), asked):
                answers.append(one)
                progress.say(f"{len(answers)} of {len(asked)} accounts have answered")
        problems = tuple(str(one) for one in answers if isinstance(one, Refusal))
        if len(problems) == len(answers):
            names_others = any(isinstance(one, Quoting) for one in answers)
            raise (Quoting if names_others else Refusal)(" ".join(problems))
        return Answers(tuple(one for one in answers if not isinstance(one, Refusal)), problems)


def shown_names(infos: Sequence[CalendarInfo], shown: Sequence[CalendarInfo]) -> list[str]:
    """What calendars are called among all of them: with their account where one of another account has the name, too."""
    taken = Counter(name for info in infos for name in {info.name.lower(), info.title.lower()} - {""})
    return [info.path if taken[info.name.lower()] > 1 else info.full_name for info in shown]


def _meant(words: str, infos: Sequence[CalendarInfo]) -> list[CalendarInfo]:
    """Those whose path it is; else that are called so; else that have the words in their path."""
    said, wanted = words.lower(), set(words_of(words))
    return (
        [info for info in infos if info.path == words]
        or [info for info in infos if info.path.lower() == said]
        or [info for info in infos if said in {info.name.lower(), info.title.lower()}]
        or [info for info in infos if wanted and wanted <= set(words_of(info.path))]
    )
