"""The demo's world: a week of plausible events and a dozen mails, other ones at each seed, the same for the same seed.

Everybody and everything in it is invented; all addresses are of the reserved domain `example`.
"""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from mcp_servers.mailbox.message.letters import Person
from mcp_servers.spans import Span, days_of
from mcp_servers.when import at_minutes, later
from mcp_servers.worlds import World, WorldEvent, WorldMail, plant

DAYS = 7
_MAX_EVENTS_A_DAY = 3
_FIRST_NAMES = (
    "Anna Bruno Carla Dario Edda Farid Greta Hugo Ines Jonas Kirsten Leon Mira Nils Olga Pavel Rosa Sven Tessa Umar Vera Wim Yara Zoe"
).split()
_LAST_NAMES = (
    "Keller Moreau Lindgren Okafor Brandt Rossi Novak Haas Petrov Silva Weber Dunne Larsen Fischer Costa Ward Meyer Sato Vogel Castro"
).split()
_PLACES = ("Cafe Nord", "Room 4", "Main St 4", "the library", "Studio 2", "Park Lane 11", "the town hall", "Harbour Cafe", "")
_MORNINGS = ("Standup", "Planning", "Design review", "Interview", "Budget round", "Team breakfast", "Project call", "Code review")
_MIDDAYS = ("Lunch with {name}", "Coffee with {name}", "Walk with {name}", "Lunch and learn")
_AFTERNOONS = ("Dentist", "Physiotherapy", "Haircut", "Car inspection", "Piano lesson", "Parents' evening", "Flat viewing", "Workshop")
_EVENINGS = ("Dinner with {name}", "Choir", "Cinema with {name}", "Yoga", "Book club", "Football training", "Concert")
_WHOLE_DAYS = ("{name}'s birthday", "Company offsite", "Public holiday", "Moving day for {name}")
_HOURS = {_MORNINGS: (9, 9.5, 10, 10.5), _MIDDAYS: (12, 12.5), _AFTERNOONS: (14, 14.5, 15, 16), _EVENINGS: (18.5, 19, 19.5)}
_LENGTHS_MIN = (30, 45, 60, 60, 60, 90)
_MAILS = (
    ("Budget for {month}", "The numbers for {month} are ready. Can you look at them before {day}? We are {amount} euros over."),
    ("Dinner on {day}", "Shall we have dinner on {day} at {hour}? I would book a table at {place}."),
    ("Your parcel", "Your parcel is waiting at {place}. Please pick it up before {day}."),
    ("Slides for the talk", "Here are my notes for the talk on {day}. The last slide still needs a picture."),
    ("Train tickets", "I booked the tickets for {day} at {hour}. They cost {amount} euros together."),
    ("Keys to the flat", "I left the keys with the neighbour. Please bring them back by {day}."),
    ("Minutes of the meeting", "Thanks for coming. We agreed to meet again on {day} at {hour}."),
    ("Question about the invoice", "Invoice {amount} is missing a date. Could you send it again by {day}?"),
    ("Garden party", "We are having people over on {day} from {hour}. Bring nothing but good weather."),
    ("Draft contract", "The draft is done. Please tell me what you think before {day}."),
    ("Photos from the trip", "I put the photos online. My favourite is the one at {place}."),
    ("Change of room", "Our meeting on {day} moves to {place}. The time stays the same."),
    ("Recipe", "You asked for the soup recipe: onions, carrots, a litre of stock and patience."),
    ("Running on {day}", "Are you in for a run on {day} at {hour}? We start at {place}."),
)
_FRESH = timedelta(hours=36)
"""Older mails have been read."""
_DAY_WORDS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ("January", "March", "April", "June", "September", "October")


def seed_demo(folder: Path, seed: int, now: datetime, zone: str) -> World:
    """Plant an invented world into a home's data folder.

    Args:
        folder: the data folder of a home that has no calendar and no mail yet.
        seed: which world; the same seed at the same time gives the same.
        now: aware; the world's week begins today.
        zone: the person's zone, such as `Europe/Berlin`.

    Returns:
        The world as plain data, to compare answers with.
    """
    here = now.astimezone(ZoneInfo(zone))
    world = invent(seed, here)
    plant(folder, world, here)
    return world


def invent(seed: int, now: datetime) -> World:
    """A world without planting it."""
    chance = random.Random(seed)
    people = _people(chance)
    return World(_events(chance, people, now), _mails(chance, people, now))


def _people(chance: random.Random) -> list[Person]:
    firsts = chance.sample(_FIRST_NAMES, chance.choice((5, 6)))
    lasts = chance.sample(_LAST_NAMES, len(firsts))
    return [Person(f"{first} {last}", f"{first.lower()}.{last.lower()}@example.org") for first, last in zip(firsts, lasts, strict=True)]


def _events(chance: random.Random, people: list[Person], now: datetime) -> tuple[WorldEvent, ...]:
    unused = {titles: chance.sample(titles, len(titles)) for titles in _HOURS}
    events: list[WorldEvent] = []
    for offset in range(DAYS):
        day = now.date() + timedelta(days=offset)
        # Tomorrow always has something: it is what people ask for first.
        count = chance.randint(2 if offset == 1 else 0, _MAX_EVENTS_A_DAY)
        slots = sorted(chance.sample(range(len(_HOURS)), count))
        for slot in slots:
            titles = list(_HOURS)[slot]
            if unused[titles]:
                events.append(_event(chance, people, day, unused[titles].pop(), _HOURS[titles], now))
    whole_day = now.date() + timedelta(days=chance.randint(1, DAYS - 1))
    title = _filled(chance, chance.choice(_WHOLE_DAYS), people)
    events.append(WorldEvent(title, days_of(at_minutes(whole_day, 0, now), whole_day)))
    return tuple(sorted(events, key=lambda event: (event.span.start, not event.span.is_all_day)))


def _event(chance: random.Random, people: list[Person], day: date, title: str, hours: tuple[float, ...], now: datetime) -> WorldEvent:
    start = at_minutes(day, int(chance.choice(hours) * 60), now)
    span = Span(start, later(start, timedelta(minutes=chance.choice(_LENGTHS_MIN))))
    return WorldEvent(_filled(chance, title, people), span, chance.choice(_PLACES))


def _mails(chance: random.Random, people: list[Person], now: datetime) -> tuple[WorldMail, ...]:
    count = chance.randint(8, 12)
    senders = [*people, *(chance.choice(people) for _ in range(count - len(people)))]
    chance.shuffle(senders)
    moments = sorted(chance.sample(_daytimes(now), count))
    mails: list[WorldMail] = []
    for sender, sent_at, (subject, text) in zip(senders, moments, chance.sample(_MAILS, count), strict=True):
        day = chance.choice(_DAY_WORDS)
        words = {
            "day": day,
            "month": chance.choice(_MONTHS),
            "hour": f"{chance.randint(16, 20)}:{chance.choice(('00', '15', '30'))}",
            "place": chance.choice([place for place in _PLACES if place]),
            "amount": str(chance.randint(12, 980)),
        }
        body = f"Hi,\n\n{text.format(**words)}\n\n{sender.name.split()[0]}"
        mails.append(WorldMail(sender, subject.format(**words), sent_at, body, is_unread=now - sent_at < _FRESH and chance.random() < 0.7))
    return tuple(mails)


def _daytimes(now: datetime) -> list[datetime]:
    """The minutes of the last days at which people write, all of them past."""
    days = [now.date() - timedelta(days=back) for back in range(DAYS)]
    moments = [at_minutes(day, minutes, now) for day in days for minutes in range(7 * 60, 22 * 60, 7)]
    return [moment for moment in moments if moment < now]


def _filled(chance: random.Random, title: str, people: list[Person]) -> str:
    return title.format(name=chance.choice(people).name.split()[0])
