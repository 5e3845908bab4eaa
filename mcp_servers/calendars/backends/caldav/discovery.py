"""Which calendars an account has on its server, found from its address (RFC 6764, without DNS)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import unquote, urlsplit

from mcp_servers.calendars.backends.caldav import multistatus
from mcp_servers.calendars.backends.caldav.dav import Dav, Reply
from mcp_servers.calendars.backends.caldav.multistatus import CALDAV, DAV, Item, NotDav
from mcp_servers.calendars.backends.components.people import alias_of, is_mail_address, plain_address
from mcp_servers.calendars.backends.naming import told_apart
from mcp_servers.calendars.model import CalendarInfo
from mcp_servers.errors import Missing, Refusal, Unanswered
from mcp_servers.outside.quoting import clean_line

WELL_KNOWN = "/.well-known/caldav"
KNOWN_FOR_S = 60.0
"""How long what was found is good for."""
SCHEDULING = "calendar-auto-schedule"
"""What a server that writes to guests by itself says of itself (RFC 6638)."""


@dataclass(frozen=True)
class Collection:
    """One calendar on the server."""

    url: str
    info: CalendarInfo


@dataclass(frozen=True)
class Found:
    """An account's calendars by their names here, and the person's addresses there in lower case."""

    collections: dict[str, Collection]
    addresses: frozenset[str]
    aliases: frozenset[str] = frozenset()
    """What else the person is called there, such as a principal's path, each as of `alias_of`."""


class Discovered:
    """What an account was found to have, asked of its server when it is needed.

    Args:
        dav: the account's server.
        clock: seconds that only grow.
    """

    def __init__(self, dav: Callable[[], Dav], clock: Callable[[], float]) -> None:
        self._dav = dav
        self._clock = clock
        self._good_until = 0.0
        self.last: Found | None = None
        """As it was found last, if it was."""

    @property
    def found(self) -> Found:
        """However long ago that was: a change that is under way waits for no other look, and does not fail for one."""
        return self.last or self._looked()

    def now(self) -> Found:
        """As it is, or was a moment ago: what a question begins with.

        Raises:
            Refusal: as of `discover`.
        """
        return self.last if self.last is not None and self._clock() < self._good_until else self._looked()

    def forget(self) -> None:
        """Something there has changed: the next call looks again."""
        self._good_until = -math.inf

    def _looked(self) -> Found:
        self.last = discover(self._dav())
        self._good_until = self._clock() + KNOWN_FOR_S
        return self.last


def discover(dav: Dav) -> Found:
    """All calendars of the account.

    Raises:
        Refusal: the server does not answer, or is no CalDAV server.
    """
    start, at = _first_of(dav)
    if start.is_calendar:
        listing = dav.ask("PROPFIND", at, multistatus.propfind(multistatus.COLLECTION))
        return _found(_collections(dav, listing, _sends_invitations(dav, listing)), _person_or_nobody(dav, start, at))
    person, where = _person(dav, start, at)
    homes = [dav.absolute(href, where) for href in person.hrefs(f"{CALDAV}calendar-home-set")] or [at]
    collections: dict[str, Collection] = {}
    for home in homes:
        listing = dav.ask("PROPFIND", home, multistatus.propfind(multistatus.COLLECTION), depth="1")
        collections |= {each.url: each for each in _collections(dav, listing, _sends_invitations(dav, listing))}
    if not collections:
        raise Refusal(f'"{dav.account}" has no calendar at its url. Check it in agent.toml.')
    return _found([*collections.values()], person)


def _person(dav: Dav, start: Item, at: str) -> tuple[Item, str]:
    """What the server says of who asks, and where it does."""
    principals = start.hrefs(f"{DAV}current-user-principal")
    reply = dav.ask("PROPFIND", dav.absolute(principals[0], at) if principals else at, multistatus.propfind(multistatus.HOME))
    return _items(dav, reply)[0], reply.url


def _person_or_nobody(dav: Dav, start: Item, at: str) -> Item:
    """The calendar is found already: it can be read and written without that."""
    try:
        return _person(dav, start, at)[0]
    except Refusal:
        return Item("", {})


def _found(collections: list[Collection], person: Item) -> Found:
    told = person.hrefs(f"{CALDAV}calendar-user-address-set")
    addresses = frozenset(plain_address(href).lower() for href in told if is_mail_address(href))
    return Found(_by_name(collections), addresses, frozenset(alias_of(href) for href in told if not is_mail_address(href)) - {""})


def _first_of(dav: Dav) -> tuple[Item, str]:
    """What the account's address itself says, or where it says nothing the place that is agreed upon."""
    body = multistatus.propfind(multistatus.WHO)
    for url in (dav.url, dav.absolute(WELL_KNOWN, dav.url)):
        try:
            reply = dav.ask("PROPFIND", url, body)
            item = next(iter(multistatus.items_of(reply.content)), Item("", {}))
        except (Missing, NotDav):
            continue
        if item.is_calendar or item.hrefs(f"{DAV}current-user-principal"):
            return item, reply.url
    raise Refusal(_no_server_text(dav))


def _items(dav: Dav, reply: Reply) -> list[Item]:
    try:
        items = multistatus.items_of(reply.content)
    except NotDav as error:
        raise Refusal(_no_server_text(dav)) from error
    if not items:
        raise Refusal(_no_server_text(dav))
    return items


def _no_server_text(dav: Dav) -> str:
    return f'The url of the calendar account "{dav.account}" leads to no CalDAV server. Check it in agent.toml.'


def _collections(dav: Dav, listing: Reply, sends_invitations: bool) -> list[Collection]:  # noqa: FBT001 - a fact of the server
    found: list[Collection] = []
    for item in _items(dav, listing):
        if item.is_calendar and item.holds_events:
            url = dav.absolute(item.href, listing.url)
            name = clean_line(item.text(f"{DAV}displayname")).replace("/", "-") or _last_part(url)
            found.append(
                Collection(url, CalendarInfo(dav.account, name, item.is_writable, sends_invitations, item.state, standing=item.standing))
            )
    return found


def _by_name(collections: list[Collection]) -> dict[str, Collection]:
    names = told_apart([(each.info.name, _last_part(each.url)) for each in collections])
    return {
        name: Collection(each.url, replace(each.info, name=name, title=each.info.name))
        for name, each in zip(names, collections, strict=True)
    }  # fmt: skip


def _last_part(url: str) -> str:
    return clean_line(unquote(urlsplit(url).path.rstrip("/").rpartition("/")[2])) or "calendar"


def _sends_invitations(dav: Dav, listing: Reply) -> bool:
    """Where nothing is told, it might: then it is asked who is told, and nobody gets a mail that no person wanted."""
    told = _told_of_itself(listing)
    if SCHEDULING in told:
        return True
    try:
        told |= _told_of_itself(dav.ask("OPTIONS", listing.url))
    except Unanswered:
        raise
    except Refusal:
        pass  # some proxies let no OPTIONS through
    return SCHEDULING in told or not told


def _told_of_itself(reply: Reply) -> frozenset[str]:
    return frozenset(word.strip() for word in reply.headers.get("dav", "").split(",")) - {""}
