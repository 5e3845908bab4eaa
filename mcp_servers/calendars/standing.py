"""What each calendar of an account is to the person: theirs, one that they follow, or one that is looked at where it is named.

Pure. Whoever keeps a calendar says it by who may write to it; the settings of the account have the last word. An account whose calendars
can all only be read is taken for the person's own, lest time that is taken is told as free: what nobody owns, else all of it, as where the
url is one calendar that another shares. So is the calendar of new events, lest they are made and never shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mcp_servers.calendars.model import CalendarInfo
from mcp_servers.wording import words_of


@dataclass(frozen=True)
class Settled:
    """An account's calendars as they stand, and in sentences what its settings name that is none of them."""

    infos: tuple[CalendarInfo, ...]
    problems: tuple[str, ...] = ()


def settled(infos: tuple[CalendarInfo, ...], said: Sequence[str] | None, default: str = "") -> Settled:
    """One account's calendars, with those that the settings name as the person's own, where they name any.

    Args:
        infos: all of the account.
        said: what the settings name as the person's own.
        default: the path of the calendar of new events.
    """
    if said is not None:
        called = {name: calendars_called(name, infos) for name in said}
        own = {each[0].name for each in called.values() if len(each) == 1}
        stand = tuple(replace(info, standing="counted" if info.name in own else "named") for info in infos)
        return Settled(stand, tuple(_unclear(name, each, infos) for name, each in called.items() if infos and len(each) != 1))
    found = tuple(replace(info, standing="counted") if info.path.lower() == default.lower() else info for info in infos)
    standings = {info.standing for info in found}
    if "counted" in standings:
        return Settled(found)
    mine = "shown" if "shown" in standings else "named"
    return Settled(tuple(replace(info, standing="counted") if info.standing == mine else info for info in found))


def calendars_called(words: str, infos: Sequence[CalendarInfo]) -> list[CalendarInfo]:
    """Those whose path it is; else that are called so; else that have the words in their path."""
    said, wanted = words.lower(), set(words_of(words))
    return (
        [info for info in infos if info.path == words]
        or [info for info in infos if info.path.lower() == said]
        or [info for info in infos if said in {info.name.lower(), info.title.lower()}]
        or [info for info in infos if wanted and wanted <= set(words_of(info.path))]
    )


def _unclear(name: str, found: list[CalendarInfo], infos: tuple[CalendarInfo, ...]) -> str:
    where = f'"{name}", which agent.toml names in calendars.accounts.{infos[0].account}.calendars,'
    if found:
        return f"{where} could be {' or '.join(info.name for info in found)}. Say there which one."
    return f"{where} is no calendar. There are {', '.join(info.name for info in infos)}. Name there those that are yours."
