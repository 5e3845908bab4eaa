"""A small CalDAV server in memory, which can misbehave: it checks versions, and answers what a test puts in its way."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote
from xml.sax.saxutils import escape

import httpx2

HOME = "/dav/anna/"
TEAM = f"{HOME}team/"
XML = "application/xml; charset=utf-8"
Trouble = Callable[[httpx2.Request], httpx2.Response | None]
"""What stands in the way of a request: another answer, an exception, or nothing."""


@dataclass
class FakeCalDav(httpx2.BaseTransport):
    """Objects by their path, with what was asked of it."""

    objects: dict[str, bytes] = field(default_factory=dict[str, bytes])
    asked: list[httpx2.Request] = field(default_factory=list[httpx2.Request])
    before: Trouble = lambda _: None
    """Looked at before the effect."""
    after: Trouble = lambda _: None
    """Looked at after it."""
    schedules: bool = False
    addresses: tuple[str, ...] = ("anna@example.org",)
    is_read_only: bool = False
    calendar_name: str = "Team"
    state: str = ""
    """Its calendars' sync token."""
    others: dict[str, str] = field(default_factory=dict[str, str])
    """Calendars beside that one: path and display name."""
    owners: dict[str, str] = field(default_factory=dict[str, str])
    """Calendars that can only be read: path and the principal that owns each, empty where that is not told."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        request.read()
        self.asked.append(request)
        answer = self.before(request) or self.answer(request)
        return self.after(request) or answer

    def methods(self) -> list[str]:
        return [request.method for request in self.asked]

    def put(self, path: str, text: str) -> None:
        self.objects[path] = text.encode()

    def etag(self, path: str) -> str:
        return f'"{hashlib.sha256(self.objects[path]).hexdigest()[:12]}"'

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        """What it would say by itself."""
        handlers = {"OPTIONS": self._options, "PROPFIND": self._propfind, "REPORT": self._report, "PUT": self._put, "DELETE": self._delete}
        return handlers[request.method](request, unquote(request.url.raw_path.decode()))

    def _options(self, _: httpx2.Request, __: str) -> httpx2.Response:
        return httpx2.Response(200, headers={"DAV": "1, 2, calendar-access" + (", calendar-auto-schedule" if self.schedules else "")})

    def _propfind(self, _: httpx2.Request, path: str) -> httpx2.Response:
        if path == HOME:
            return _multistatus(
                _response(HOME, "<D:resourcetype><D:collection/></D:resourcetype>"),
                *(
                    _response(
                        at,
                        f"<D:displayname>{escape(name)}</D:displayname><D:sync-token>{self.state}</D:sync-token>"
                        "<D:resourcetype><D:collection/><C:calendar/></D:resourcetype>"
                        f"<D:current-user-privilege-set>{self._privileges(at)}</D:current-user-privilege-set>{self._owner(at)}",
                    )
                    for at, name in {TEAM: self.calendar_name, **self.others}.items()
                ),
            )
        if path == "/principals/anna/":
            mails = "".join(f"<D:href>mailto:{address}</D:href>" for address in self.addresses)
            home = f"<C:calendar-home-set><D:href>{HOME}</D:href></C:calendar-home-set>"
            return _multistatus(_response(path, f"{home}<C:calendar-user-address-set>{mails}</C:calendar-user-address-set>"))
        return _multistatus(_response(path, "<D:current-user-principal><D:href>/principals/anna/</D:href></D:current-user-principal>"))

    def _privileges(self, path: str) -> str:
        names = ["read"] if self.is_read_only or path in self.owners else ["read", "write"]
        return "".join(f"<D:privilege><D:{name}/></D:privilege>" for name in names)

    def _owner(self, path: str) -> str:
        if not self.owners.get(path):
            return ""
        me = "<D:current-user-principal><D:href>/principals/anna/</D:href></D:current-user-principal>"
        return f"<D:owner><D:href>{self.owners[path]}</D:href></D:owner>{me}"

    def _report(self, request: httpx2.Request, collection: str) -> httpx2.Response:
        asked = request.content.decode()
        paths = [unquote(path) for path in re.findall(r"<D:href>(.*?)</D:href>", asked)]
        uid = re.search(r"<C:text-match[^>]*>(.*?)</C:text-match>", asked)
        found = [path for path in (paths or self.objects) if path in self.objects and path.startswith(collection)]
        if uid:
            found = [path for path in found if f"UID:{uid[1]}".encode() in self.objects[path]]
        return _multistatus(*(self._object(path) for path in found))

    def _object(self, path: str) -> str:
        data = escape(self.objects[path].decode())
        return _response(path, f"<D:getetag>{escape(self.etag(path))}</D:getetag><C:calendar-data>{data}</C:calendar-data>")

    def _put(self, request: httpx2.Request, path: str) -> httpx2.Response:
        if request.headers.get("If-None-Match") == "*" and path in self.objects:
            return httpx2.Response(412)
        if "If-Match" in request.headers and (path not in self.objects or request.headers["If-Match"] != self.etag(path)):
            return httpx2.Response(412)
        self.objects[path] = request.content
        return httpx2.Response(201)

    def _delete(self, request: httpx2.Request, path: str) -> httpx2.Response:
        if path not in self.objects:
            return httpx2.Response(404)
        if request.headers.get("If-Match", self.etag(path)) != self.etag(path):
            return httpx2.Response(412)
        del self.objects[path]
        return httpx2.Response(204)


def _response(path: str, properties: str) -> str:
    return (
        f"<D:response><D:href>{escape(path)}</D:href><D:propstat><D:prop>{properties}</D:prop>"
        "<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
    )


def _multistatus(*responses: str) -> httpx2.Response:
    head = '<?xml version="1.0"?><D:multistatus xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">'
    return httpx2.Response(207, text=f"{head}{''.join(responses)}</D:multistatus>", headers={"Content-Type": XML})
