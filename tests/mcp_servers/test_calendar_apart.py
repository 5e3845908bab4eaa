"""Single times of a series that somebody is invited to are events by themselves: what becomes of one leaves the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import icalendar
import pytest

from mcp_servers.calendars.backends.caldav.account import CalDavCalendars
from mcp_servers.calendars.backends.local import LocalCalendars
from mcp_servers.calendars.server import Calendars
from mcp_servers.errors import Stale
from mcp_servers.protocol.calls import Plan
from tests.fakes.caldav import FakeCalDav
from tests.mcp_servers.caldav_desk import INVITED, PATH, login
from tests.mcp_servers.calling import call, carried_out, refusal_of, text_of

UID = "4711@example.org"
FIRST, SECOND = "20261201T080000Z", "20261208T080000Z"
PERIOD = "1 to 20 december"


@dataclass(frozen=True)
class Place:
    """Tools over one calendar, the way to put a whole object into it, and what it holds."""

    tools: Calendars
    put: Callable[[str], None]
    read: Callable[[], str]

    def fill(self, *components: str) -> None:
        self.put(f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n{''.join(components)}END:VCALENDAR\r\n")

    def planned(self, name: str, **arguments: str) -> Plan:
        plan = self.tools.handlers()[name](call(**arguments))
        assert isinstance(plan, Plan)
        return plan

    def done(self, name: str, **arguments: str) -> str:
        """Prepared, and carried out by the id that was shown."""
        handler: Any = self.tools.handlers()[name]
        return carried_out(handler, self.planned(name, **arguments)).text

    def refused(self, name: str, **arguments: str) -> str:
        return refusal_of(self.tools.handlers()[name], **arguments)

    def listed(self) -> list[str]:
        return text_of(self.tools.list_events, when=PERIOD).splitlines()[1:]

    def ids(self) -> list[str]:
        return [each["id"] for each in self.tools.list_events(call(when=PERIOD)).structured["events"]]

    def stored(self) -> dict[str, str]:
        """The text of each component, by a mark of its own that no tool knows."""
        text = self.read()
        calendar: Any = icalendar.Calendar.from_ical(text) if text else icalendar.Calendar()
        return {str(each.get("X-OWN", "")): each.to_ical().decode() for each in calendar.walk("VEVENT")}


@pytest.fixture(params=["local", "caldav"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "local":
        file = tmp_path / "personal.ics"
        return Place(
            Calendars(LocalCalendars(tmp_path, frozenset({"anna@example.org"}))),
            lambda text: (file.write_bytes(text.encode()), None)[1],
            file.read_text,
        )
    server = FakeCalDav()
    return Place(
        Calendars(CalDavCalendars(login(), transport=server)),
        lambda text: server.put(PATH, text),
        lambda: server.objects.get(PATH, b"").decode(),
    )


def time_of(occurrence: str, *, title: str = "Budget", own: str = "", more: str = INVITED) -> str:
    return (
        f"BEGIN:VEVENT\r\nUID:{UID}\r\nDTSTAMP:20261101T000000Z\r\nRECURRENCE-ID:{occurrence}\r\nDTSTART:{occurrence}\r\n"
        f"DURATION:PT1H\r\nSUMMARY:{title}\r\nX-OWN:{own or occurrence}\r\n{more}END:VEVENT\r\n"
    )


SERIES = (
    f"BEGIN:VEVENT\r\nUID:{UID}\r\nDTSTAMP:20261101T000000Z\r\nDTSTART:{FIRST}\r\nDURATION:PT1H\r\nRRULE:FREQ=WEEKLY;COUNT=3\r\n"
    "SUMMARY:Budget\r\nX-OWN:series\r\nEND:VEVENT\r\n"
)
TWO = (time_of(FIRST), time_of(SECOND))


def test_each_is_listed_and_found_as_an_event_by_itself(place: Place) -> None:
    place.fill(*TWO)
    assert place.ids() == [f"{UID}#{FIRST}", f"{UID}#{SECOND}"]
    assert not any(each["recurring"] for each in place.tools.list_events(call(when=PERIOD)).structured["events"])
    assert all(f"[{name}]" in text_of(place.tools.handlers()["search_events"], query="budget") for name in place.ids())
    assert "2 events match" in place.refused("delete_event", event="budget")


@pytest.mark.parametrize("order", [TWO, TWO[::-1]])
@pytest.mark.parametrize("tool", ["delete_event", "remove_event"])
def test_the_one_that_was_shown_is_deleted_and_the_other_stays_as_it_is(place: Place, tool: str, order: tuple[str, ...]) -> None:
    place.fill(*order)
    before = place.stored()
    plan = place.planned(tool, event="budget", when="8 december")
    assert plan.summary.endswith(": Budget, Tue 8 Dec 2026 09:00-10:00")
    assert "Tue 8 Dec 2026" in place.done(tool, event="budget", when="8 december")
    assert place.stored() == {FIRST: before[FIRST]}


@pytest.mark.parametrize("tool", ["update_event", "change_event"])
def test_the_one_that_was_shown_moves_and_the_other_stays_as_it_is(place: Place, tool: str) -> None:
    place.fill(*TWO)
    before = place.stored()
    assert "Wed 9 Dec 2026 15:00-16:00" in place.done(tool, event="budget", when="8 december", new_when="9 december at 3pm")
    assert place.stored()[FIRST] == before[FIRST]
    assert place.ids() == [f"{UID}#{FIRST}", f"{UID}#{SECOND}"]
    assert "Deleted: Budget, Wed 9 Dec" in place.done("delete_event", event=f"{UID}#{SECOND}")
    assert list(place.stored()) == [FIRST]


@pytest.mark.parametrize(("day", "answered", "other"), [("1 december", FIRST, SECOND), ("8 december", SECOND, FIRST)])
def test_an_answer_is_to_the_one_that_was_shown(place: Place, day: str, answered: str, other: str) -> None:
    place.fill(*TWO)
    before = place.stored()
    place.done("respond_to_invitation", event="budget", when=day, answer="accept")
    assert "PARTSTAT=ACCEPTED" in place.stored()[answered]
    assert place.stored()[other] == before[other]


def test_the_only_one_is_meant_by_the_id_of_its_series_too(place: Place) -> None:
    place.fill(time_of(SECOND))
    place.done("respond_to_invitation", event=UID, answer="accept")
    assert "PARTSTAT=ACCEPTED" in place.stored()[SECOND]
    assert "10:00-11:00" in place.done("update_event", event="budget", new_when="10:00")
    assert place.done("delete_event", event=UID).startswith("Deleted: Budget, Tue 8 Dec")
    assert place.stored() == {}


def test_the_id_of_their_series_means_none_of_several(place: Place) -> None:
    place.fill(*TWO)
    before = place.stored()
    assert "4711" in place.refused("delete_event", event=UID)
    assert place.stored() == before


def test_a_second_one_that_comes_in_between_lets_nothing_else_be_deleted(place: Place) -> None:
    place.fill(time_of(SECOND))
    plan = place.planned("delete_event", event="budget")
    place.fill(*TWO)
    with pytest.raises(Stale):
        carried_out(place.tools.delete_event, plan)
    assert len(place.stored()) == 2


def test_times_beside_their_series_are_times_of_it(place: Place) -> None:
    place.fill(time_of(SECOND, title="Long budget"), SERIES)
    assert len(place.ids()) == 3
    assert place.planned("delete_event", event="long budget").lines[2] == ("Repeats", "only this time is meant")
    assert "Long budget, Tue 8 Dec" in place.done("delete_event", event="long budget")
    assert place.ids() == [f"{UID}#{FIRST}", f"{UID}#20261215T080000Z"]


def test_one_of_them_does_not_repeat_by_itself(place: Place) -> None:
    place.fill(*TWO)
    said = place.refused("change_event", event="budget", when="8 december", new_repeat="every week")
    assert said == "This is one time of a series that is not in the calendar: it does not repeat by itself. Add an event that does."


def test_two_that_stand_for_one_time_are_not_changed(place: Place) -> None:
    place.fill(time_of(SECOND), time_of(SECOND, title="Other budget", own="other"))
    before = place.stored()
    assert place.refused("delete_event", event="budget").endswith("Change it where it was made.")
    assert place.stored() == before


def alone(title: str, start: str, sequence: int) -> str:
    return (
        f"BEGIN:VEVENT\r\nUID:{UID}\r\nDTSTAMP:20261101T000000Z\r\nDTSTART:{start}\r\nDURATION:PT1H\r\n"
        f"SUMMARY:{title}\r\nSEQUENCE:{sequence}\r\nX-OWN:{title}\r\nEND:VEVENT\r\n"
    )


@pytest.mark.parametrize("order", [1, -1])
def test_the_newest_state_of_an_event_is_the_one_that_is_changed(place: Place, order: int) -> None:
    place.fill(*[alone("Old budget", FIRST, 1), alone("Budget", SECOND, 2)][::order])
    assert len(place.ids()) == 1
    assert place.done("update_event", event="budget", new_when="11:00") == "Updated: Budget, now Tue 8 Dec 2026 11:00-12:00"
    assert list(place.stored()) == ["Budget"]
    place.fill(time_of(SECOND, title="Old budget", own="old"), time_of(SECOND, own="new", more="SEQUENCE:3\r\n"))
    assert place.done("delete_event", event="budget").startswith("Deleted: Budget, Tue 8 Dec")


def test_two_events_with_one_id_are_not_deleted_together(place: Place) -> None:
    place.fill(alone("Budget", FIRST, 1), alone("Dinner", SECOND, 1))
    before = place.stored()
    assert place.refused("delete_event", event="budget").endswith("Change it where it was made.")
    assert place.stored() == before
    place.fill(alone("Budget", FIRST, 1), alone("Budget", FIRST, 1))
    assert place.done("delete_event", event="budget").startswith("Deleted: Budget, Tue 1 Dec")
    assert place.stored() == {}
