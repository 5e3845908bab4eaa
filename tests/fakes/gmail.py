"""Gmail on loopback: every request is held against Google's own description, those for parts of an answer and uploads included."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from typing import Any

from tests.fakes.gmail_mailbox import FakeMailbox
from tests.fakes.google_api import Answer, FakeGoogle, on_loopback
from tests.fakes.google_calendars import Refused
from tests.fakes.google_description import Called, Description

Json = dict[str, Any]
READ, MODIFY, SEND = frozenset({"gmail.readonly"}), frozenset({"gmail.modify"}), frozenset({"gmail.send"})
COMPOSE = frozenset({"gmail.compose"})
TOKENS = {"token-read": READ, "token-write": MODIFY, "token-send": SEND, "token-compose": COMPOSE}
UPLOAD = "/upload/"
MAX_PLAIN_BYTES = 5 * 1024 * 1024
"""A larger mail must come as an upload."""


@dataclass
class FakeGmail(FakeGoogle):
    """One person's Gmail, with what was asked of it."""

    mailbox: FakeMailbox = field(default_factory=FakeMailbox)
    tokens: dict[str, frozenset[str]] = field(default_factory=lambda: dict(TOKENS))
    description: Description = field(default_factory=lambda: Description.of("gmail", "v1"))
    batch_path: str = "/batch"
    base: str = "/"

    def ids(self) -> list[str]:
        return [called.method.removeprefix("gmail.users.") for called in self.asked]

    def effect(self, called: Called) -> tuple[int, Json | None]:
        status, shown = self.mailbox.do(called)
        wanted = _names(called.query["fields"]) if "fields" in called.query and shown is not None else None
        if wanted is not None and (unknown := wanted - self._known(called.method)):
            self.violations.append(f"{called.method} has no fields {sorted(unknown)}")
            raise Refused(400, "invalidParameter")
        return status, shown if wanted is None or shown is None else {name: value for name, value in shown.items() if name in wanted}

    def answer(self, method: str, target: str, headers: dict[str, str], content: bytes) -> Answer:
        if target.startswith(UPLOAD):
            target, content = target.removeprefix("/upload"), _with_raw(headers, content, is_draft="/drafts" in target)
        elif len(content) > MAX_PLAIN_BYTES:
            self.violations.append("a large mail that is no upload")
        return super().answer(method, target, headers, content)

    def _known(self, method: str) -> set[str]:
        described = next(each for _, _, each in self.description.methods if each["id"] == method)
        return {*self.description.document["schemas"][described["response"]["$ref"]]["properties"]}


@contextmanager
def gmail_on_loopback() -> Generator[FakeGmail]:
    """The service, until the body is done. What was asked of it that Google would not know is a failure of the body."""
    google = FakeGmail()
    with on_loopback(google):
        yield google


def _names(fields: str) -> set[str]:
    """The outermost names of `messages(id,labelIds),nextPageToken`."""
    bare = fields
    while "(" in bare:
        bare = re.sub(r"\([^()]*\)", "", bare)
    return {name.partition("/")[0] for name in bare.split(",")}


def _with_raw(headers: dict[str, str], content: bytes, *, is_draft: bool) -> bytes:
    """The body of the same call without an upload."""
    whole = BytesParser().parsebytes(b"content-type: " + headers["content-type"].encode() + b"\r\n\r\n" + content)
    parts: Any = whole.get_payload()
    if [part.get_content_type() for part in parts] != ["application/json", "message/rfc822"]:
        return b"no such upload"
    boundary = str(whole.get_boundary()).encode()
    raw = content.split(b"--" + boundary)[2].partition(b"\n\n")[2].removesuffix(b"\n")
    body: Json = json.loads(parts[0].get_payload())
    said = {"raw": base64.urlsafe_b64encode(raw).decode()}
    return json.dumps({**body, "message": {**body.get("message", {}), **said}} if is_draft else {**body, **said}).encode()
