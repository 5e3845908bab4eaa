"""The XML that a CalDAV server is asked with, and its answers as values.

Pure. Only what is needed of RFC 4918, 4791, 6578 and 6638. An answer with a document type is refused: entities in it
could grow without end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from mcp_servers.calendars.model import Standing
from mcp_servers.spans import Span

DAV, CALDAV, CALENDARSERVER = "{DAV:}", "{urn:ietf:params:xml:ns:caldav}", "{http://calendarserver.org/ns/}"
_NAMESPACES = 'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:S="http://calendarserver.org/ns/"'
_HEAD = '<?xml version="1.0" encoding="utf-8"?>'
_OK = 200
_DATA = "<D:prop><D:getetag/><C:calendar-data/></D:prop>"
WHO = ("D:current-user-principal", "D:resourcetype")
HOME = ("C:calendar-home-set", "C:calendar-user-address-set")
COLLECTION = (
    "D:displayname", "D:resourcetype", "C:supported-calendar-component-set", "D:current-user-privilege-set", "S:getctag", "D:sync-token",
    "D:owner", "D:current-user-principal",
)  # fmt: skip
_WRITING = {"all", "write", "write-content", "bind"}


class NotDav(Exception):
    """The answer is none of a CalDAV server."""


@dataclass(frozen=True)
class Item:
    """One resource of an answer, with the properties that it has."""

    href: str
    properties: dict[str, ET.Element]
    status: int = _OK

    def text(self, name: str) -> str:
        found = self.properties.get(name)
        return (found.text or "").strip() if found is not None else ""

    def hrefs(self, name: str) -> list[str]:
        found = self.properties.get(name)
        return [(each.text or "").strip() for each in found.iter(f"{DAV}href")] if found is not None else []

    @property
    def is_calendar(self) -> bool:
        kind = self.properties.get(f"{DAV}resourcetype")
        return kind is not None and kind.find(f"{CALDAV}calendar") is not None

    @property
    def holds_events(self) -> bool:
        components = self.properties.get(f"{CALDAV}supported-calendar-component-set")
        names = [each.get("name", "").upper() for each in components] if components is not None else []
        return not names or "VEVENT" in names

    @property
    def is_writable(self) -> bool:
        """Where the server does not tell, it is tried."""
        privileges = self.properties.get(f"{DAV}current-user-privilege-set")
        if privileges is None:
            return True
        return any(each.tag.removeprefix(DAV) in _WRITING for each in privileges.iter())

    @property
    def standing(self) -> Standing:
        """The person's own is what they may write to, or what they own; where nobody owns it, they follow it."""
        owners, me = ({_path_of(href) for href in self.hrefs(f"{DAV}{name}")} for name in ("owner", "current-user-principal"))
        if self.is_writable or owners & me:
            return "counted"
        return "named" if owners and me else "shown"

    @property
    def state(self) -> str:
        return self.text(f"{DAV}sync-token") or self.text(f"{CALENDARSERVER}getctag")


def items_of(content: bytes) -> list[Item]:
    """The resources of a multi-status answer.

    Raises:
        NotDav: it is none.
    """
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise NotDav("a document type")
    try:
        root = ET.fromstring(content)
    except ET.ParseError as error:
        raise NotDav("no XML") from error
    if root.tag != f"{DAV}multistatus":
        raise NotDav(root.tag)
    return [_item(response) for response in root.findall(f"{DAV}response")]


def _item(response: ET.Element) -> Item:
    properties: dict[str, ET.Element] = {}
    for found in response.findall(f"{DAV}propstat"):
        if _status(found) == _OK:
            properties |= {each.tag: each for each in found.find(f"{DAV}prop") or ()}
    return Item((response.findtext(f"{DAV}href") or "").strip(), properties, _status(response))


def _path_of(href: str) -> str:
    return unquote(urlsplit(href).path).rstrip("/")


def _status(element: ET.Element) -> int:
    """`HTTP/1.1 404 Not Found` to 404; absent: as it should be."""
    parts = (element.findtext(f"{DAV}status") or "").split()
    return int(parts[1]) if len(parts) > 1 and parts[1].isdecimal() else _OK


def propfind(names: Iterable[str]) -> str:
    return f"{_HEAD}<D:propfind {_NAMESPACES}><D:prop>{''.join(f'<{name}/>' for name in names)}</D:prop></D:propfind>"


def events_within(period: Span) -> str:
    """The events of a period; one that repeats comes whole."""
    form = "%Y%m%dT%H%M%SZ"
    start, end = (moment.astimezone(UTC).strftime(form) for moment in (period.start, period.end))
    return _query(f'<C:time-range start="{start}" end="{end}"/>')


def events_named(uid: str) -> str:
    match = f'<C:text-match collation="i;octet">{escape(uid)}</C:text-match>'
    return _query(f'<C:prop-filter name="UID">{match}</C:prop-filter>')


def resources(paths: Iterable[str]) -> str:
    hrefs = "".join(f"<D:href>{escape(path)}</D:href>" for path in paths)
    return f"{_HEAD}<C:calendar-multiget {_NAMESPACES}>{_DATA}{hrefs}</C:calendar-multiget>"


def _query(events: str) -> str:
    wanted = f'<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">{events}</C:comp-filter></C:comp-filter></C:filter>'
    return f"{_HEAD}<C:calendar-query {_NAMESPACES}>{_DATA}{wanted}</C:calendar-query>"
