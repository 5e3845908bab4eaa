"""Small readings of what was typed that several intents share: a time from its parts, a list of words, a refusal, a place in a list."""

from __future__ import annotations

import random
import re


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


_PLACES = (
    (re.compile(r"\b(second|2nd|number (two|2)|no\.? ?(two|2)|#2)\b|#2"), 1),
    (re.compile(r"\b(third|3rd|number (three|3)|no\.? ?(three|3))\b|#3"), 2),
    (re.compile(r"\b(last one|the last\b(?! (mail|email|message)? ?(from|by))|oldest|bottom)"), -1),
)
"""Which of what is listed a person means by these words; by all others the first."""


def meant(wording: str, listed: list[str]) -> str | None:
    """The one that these words mean, or None when the list is too short for them."""
    at = next((place for words, place in _PLACES if words.search(wording.lower())), 0)
    return listed[at] if at < len(listed) else None
