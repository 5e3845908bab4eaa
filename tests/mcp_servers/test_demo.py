"""The demo's world is plausible, other at each seed, and the same for the same seed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from mcp_servers.calendars.backends.local import LocalCalendars
from mcp_servers.calendars.server import Calendars
from mcp_servers.demo import invent, seed_demo
from mcp_servers.mail.server import MailTools
from mcp_servers.mailbox.people import recipients
from mcp_servers.mailbox.store import MailStore
from mcp_servers.protocol.calls import Call
from mcp_servers.spans import Span
from tests.mcp_servers.calling import NOW

SEEDS = range(40)


@pytest.mark.parametrize("seed", range(3))
def test_the_stores_hold_the_world_that_is_given_back(tmp_path: Path, seed: int) -> None:
    now = NOW.astimezone(UTC)
    world = seed_demo(tmp_path, seed, now, "Europe/Berlin")
    listed = Calendars(LocalCalendars(tmp_path / "calendars")).list_events(Call({"when": "tomorrow"}, NOW)).structured["events"]
    tomorrow = world.events_on(NOW.date() + timedelta(days=1))
    assert sorted(event["title"] for event in listed) == sorted(event.title for event in tomorrow)
    store = MailStore(tmp_path / "mail")
    assert [(mail.number, mail.subject, mail.is_unread) for mail in reversed(store.mails())] == [
        (number, mail.subject, mail.is_unread) for number, mail in enumerate(world.mails, start=1)
    ]
    for mail in world.mails:
        newest = world.mails_from(mail.sender.name)[0]
        read = MailTools(store).read_mail(Call({"mail": mail.sender.name.split()[0]}, NOW)).structured["mail"]
        assert (read["subject"], read["text"]) == (newest.subject, newest.text)


def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        seed_demo(tmp_path / name, 7, NOW, "Europe/Berlin")
    files = [{path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()} for folder in (tmp_path / "a", tmp_path / "b")]  # fmt: skip # noqa: E501
    assert files[0] == files[1]


def test_seeds_differ() -> None:
    assert len({invent(seed, NOW) for seed in SEEDS}) == len(SEEDS)


def test_every_world_is_a_plausible_week() -> None:
    for seed in SEEDS:
        world = invent(seed, NOW)
        today = NOW.date()
        assert len(world.events_on(today + timedelta(days=1))) >= 2
        assert all(today <= event.span.first_day < today + timedelta(days=7) for event in world.events)
        assert 8 <= len(world.mails) <= 12
        assert 5 <= len({mail.sender for mail in world.mails}) <= 6
        assert all(mail.sent_at < NOW for mail in world.mails)
        assert [mail.sent_at for mail in world.mails] == sorted(mail.sent_at for mail in world.mails)
        people = tuple({mail.sender for mail in world.mails})
        for person in people:  # a first name is enough to write to anyone
            assert recipients(person.name.split()[0], people) == (person.address,)
        assert all("{" not in text for mail in world.mails for text in (mail.subject, mail.text))
        assert all("{" not in event.title for event in world.events)


def test_no_two_events_of_a_day_overlap() -> None:
    for seed in SEEDS:
        spans: list[Span] = [event.span for event in invent(seed, NOW).events if not event.span.is_all_day]
        assert not any(one.overlaps(other) for number, one in enumerate(spans) for other in spans[number + 1 :])


@pytest.mark.parametrize("zone", ["UTC", "America/St_Johns", "Pacific/Auckland", "Africa/Casablanca"])
def test_any_zone_and_any_hour_will_do(zone: str) -> None:
    for hour in range(0, 24, 3):
        now = datetime(2026, 3, 28, hour, 30, tzinfo=ZoneInfo(zone))
        assert invent(hour, now).events_on(now.date() + timedelta(days=1))
