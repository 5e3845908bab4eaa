"""All accounts' calendars as one.

Accounts are asked side by side; one that fails is said and does not hide the others. Where none answers, that is
the answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Generic, Literal, TypeVar

from mcp_servers.calendars.backends.contract import Backend, Listing
from mcp_servers.calendars.model import CalendarInfo, Event, Standing, in_order
from mcp_servers.calendars.standing import Settled, calendars_called, settled
from mcp_servers.errors import Quoting, Refusal
from mcp_servers.protocol import progress
from mcp_servers.spans import Span

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
        own: by account the calendars that the settings name as the person's own; an account without is as `standing` says.
    """

    def __init__(self, backends: tuple[Backend, ...], default: str = "", own: Mapping[str, Sequence[str]] | None = None) -> None:
        self._backends = backends
        self._default = default
        self._own = own or {}
        self._with_others: dict[str, bool] = {}
        """Which accounts, when they answered last, had calendars that are looked at only where they are named."""

    def calendars(self) -> tuple[tuple[CalendarInfo, ...], tuple[str, ...]]:
        """All calendars, and who did not answer."""
        answers = self._ask(lambda backend: self._settled(backend, backend.calendars()))
        unclear = [problem for one in answers.of for problem in one.problems]
        return tuple(info for one in answers.of for info in one.infos), (*unclear, *answers.problems)

    def query(self, period: Span, only: tuple[CalendarInfo, ...] = ()) -> Listing:
        """The events of a period by start, all-day ones first: of all calendars, also other people's, or of those that are named."""
        wanted = {info.account for info in only}

        def ask(backend: Backend) -> Listing:
            names = {info.name for info in only if info.account == backend.account}
            return backend.query(period, lambda _: names) if only else backend.query(period)

        return _merged(self._ask(ask, lambda backend: not only or backend.account in wanted))

    def shown(self, period: Span) -> Listing:
        """What is on: the events of the person's calendars and of those that they follow."""
        return self._standing(period, {"counted", "shown"}, lambda _: True)

    def others(self, period: Span) -> Listing:
        """What `shown` leaves out; an account that has no such calendars, or has not answered, is not asked."""
        return self._standing(period, {"named"}, lambda backend: self._with_others.get(backend.account, False))

    def busy(self, period: Span, only: tuple[CalendarInfo, ...] = ()) -> Listing:
        """What may take up the person's time: nothing that they declined, and no other's events but of calendars that are named."""
        listing = self.query(period, only) if only else self._standing(period, {"counted"}, lambda _: True)
        return replace(listing, events=tuple(event for event in listing.events if not self._is_declined(event)))

    def mark_of(self, event: Event) -> Literal["", "cancelled", "declined"]:
        """Why something that stands in a calendar does not take place for the person."""
        if event.status == "cancelled":
            return "cancelled"
        return "declined" if self._is_declined(event) else ""

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
        found = calendars_called(words, infos)
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

    def _standing(self, period: Span, wanted: Collection[Standing], is_asked: Callable[[Backend], bool]) -> Listing:
        """The events of calendars that stand so, and what the settings name that is no calendar."""

        def ask(backend: Backend) -> Listing:
            unclear: list[str] = []

            def which(infos: tuple[CalendarInfo, ...]) -> Collection[str]:
                found = self._settled(backend, infos)
                unclear.extend(found.problems)
                self._with_others[backend.account] = any(info.standing == "named" for info in found.infos)
                return {info.name for info in found.infos if info.standing in wanted}

            listing = backend.query(period, which)
            return Listing(listing.events, (*unclear, *listing.problems))

        return _merged(self._ask(ask, is_asked))

    def _settled(self, backend: Backend, infos: tuple[CalendarInfo, ...]) -> Settled:
        return settled(infos, self._own.get(backend.account), self._default)

    def _ask(self, question: Callable[[Backend], T], is_asked: Callable[[Backend], bool] = lambda _: True) -> Answers[T]:
        asked = [backend for backend in self._backends if is_asked(backend)]
        if not asked:
            return Answers(())
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


def _merged(answers: Answers[Listing]) -> Listing:
    events = [event for listing in answers.of for event in listing.events]
    problems = [problem for listing in answers.of for problem in listing.problems]
    return Listing(tuple(sorted(events, key=in_order)), (*problems, *answers.problems))


def shown_names(infos: Sequence[CalendarInfo], shown: Sequence[CalendarInfo]) -> list[str]:
    """What calendars are called among all of them: with their account where one of another account has the name, too."""
    taken = Counter(name for info in infos for name in {info.name.lower(), info.title.lower()} - {""})
    return [info.path if taken[info.name.lower()] > 1 else info.full_name for info in shown]
