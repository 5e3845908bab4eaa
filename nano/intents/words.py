"""Small readings of what was typed that several intents share: a time from its parts, a list of words, a refusal."""

from __future__ import annotations

import random


def join(*parts: str | None) -> str:
    return " ".join(p for p in parts if p)


def when_of(slots: dict[str, str]) -> str:
    """The time of a new event, from one filling or from a day and a clock time apart."""
    if "when" in slots:
        return slots["when"]
    day, time = slots.get("day"), slots.get("time")
    if day and time:
        span = any(mark in time for mark in (" to ", "-", " until ", " til", " till "))
        return f"{day} {'from' if span else 'at'} {time}"
    return day or (f"at {time}" if time else "")


def moved_to(slots: dict[str, str]) -> str:
    """The new time of a change, from one filling or from a day and a clock time apart."""
    both = slots.get("new_day") and slots.get("new_time")
    return slots.get("new_when") or join(slots.get("new_day"), "at" if both else None, slots.get("new_time"))


def refused(rng: random.Random) -> str:
    """The person said no, or nobody could be asked."""
    return rng.choice(("The person said no. Nothing was done.", "This needs the person's approval. Nothing was done."))
