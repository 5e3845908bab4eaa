"""What we ask of Gmail in its words, and its answers in ours: searches, labels as folders, and mails as far as they are indexed.

Pure. A folder is a label, but for the archive, which is where a mail is that has none of the others. In a search Gmail takes each word
as a word: no word of a person or a model becomes an operator of its language.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, cast

from mcp_servers.mailbox.places import ARCHIVE, DRAFTS, FLAGGED, IMPORTANT, INBOX, SENT, TRASH, UNREAD, Wanted
from mcp_servers.outside.charsets import text_of
from mcp_servers.outside.quoting import is_blank
from mcp_servers.wording import EMPTY_WORDS

Json = dict[str, Any]
SPAM = "Spam"
ROLE_LABELS: Mapping[str, str] = {TRASH: "TRASH", SPAM: "SPAM", DRAFTS: "DRAFT", INBOX: "INBOX", SENT: "SENT"}
"""In the order in which they say where a mail is that has several."""
MARKS: Mapping[str, str] = {FLAGGED: "STARRED", UNREAD: "UNREAD", IMPORTANT: "IMPORTANT"}
"""Labels that are no folder."""
_ARCHIVED = "-in:inbox -in:sent -in:drafts -in:trash -in:spam -in:chats"
MARK = "X-Variet-Id"
"""The line by which a mail of ours is known at Gmail, which may put another `Message-ID` in the place of ours."""
PLAIN_BYTES = 3 * 1024 * 1024
"""A larger mail goes up as a file."""
HEAD_BYTES = 65_536
"""Of the text of a mail that is only indexed."""
_HEADERS = frozenset("from to cc bcc reply-to subject date message-id references in-reply-to".split())
_MARGIN = timedelta(days=1)
"""Gmail goes by when a mail came to it, and we by when it says that it was written."""
_WORD = re.compile(r"[^\W_][\w@.+']*(?:-[\w@.+']+)*")
_MAX_PARTS_DEEP = 20


def place_in(folder: str, labels: Mapping[str, str]) -> Json | None:
    """The parameters that have Gmail list a folder; None where there is no such folder.

    Args:
        folder: as a person sees it.
        labels: the person's own, id by name.
    """
    if folder == ARCHIVE:
        return {"q": _ARCHIVED}
    label = ROLE_LABELS.get(folder) or labels.get(folder)
    return None if label is None else {"labelIds": [label], "includeSpamTrash": True}


def searched(place: Json, wanted: Wanted) -> Json:
    """The same parameters, narrowed to what is wanted."""
    words = [*(f"from:{word}" for word in _words(wanted.sender)), *(f'"{word}"' for word in _words(wanted.query))]
    if wanted.period is not None:
        since, until = wanted.period.start - _MARGIN, wanted.period.end + _MARGIN
        words += [f"after:{max(0, int(since.timestamp()))}", f"before:{max(0, int(until.timestamp()))}"]
    if wanted.is_unread:
        words.append("is:unread")
    q = " ".join([*([place["q"]] if "q" in place else []), *words])
    return {**place, **({"q": q} if q else {})}


def folder_among(label_ids: Iterable[str], labels: Mapping[str, str]) -> str:
    """Where a mail with these labels is."""
    has = {*label_ids}
    for folder, label in ROLE_LABELS.items():
        if label in has:
            return folder
    return next((name for name, label in labels.items() if label in has), ARCHIVE)


def own_labels(listed: Iterable[Json]) -> dict[str, str]:
    """The person's own labels, id by name, in the order of their names; none that is called like one of the roles."""
    taken = {name.lower() for name in (*ROLE_LABELS, ARCHIVE, *MARKS)}
    own = {str(one["name"]): str(one["id"]) for one in listed if one.get("type") == "user" and str(one["name"]).lower() not in taken}
    return dict(sorted(own.items(), key=lambda item: item[0].casefold()))


def relabelled(source: str, target: str, labels: Mapping[str, str]) -> Json:
    """The change of labels that takes a mail from one folder to another; what else it has stays."""
    known = {**{folder: label for folder, label in ROLE_LABELS.items() if folder not in (SENT, DRAFTS)}, **labels}
    added = [known[target]] if target in known else []
    gone = {"INBOX", "TRASH", "SPAM", *([known[source]] if source in known else [])}
    return {"addLabelIds": added, "removeLabelIds": sorted(gone - {*added})}


def why_not_moved(has: Iterable[str], target: str) -> str:
    """Why Gmail does not let a mail with these labels go to a folder, in a sentence; empty where it does."""
    labels = {*has}
    is_own = bool({"SENT", "DRAFT"} & labels) and "TRASH" not in labels
    is_refused = target in (SENT, DRAFTS) and ROLE_LABELS[target] not in labels or is_own and target not in (SENT, DRAFTS, TRASH)
    if not is_refused:
        return ""
    other = f"the {TRASH.lower()} for it, or leave it there" if is_own else "another folder"
    return f"Gmail keeps in Sent and Drafts what was sent and drafted there, and nothing else. Not moved. Choose {other}."


def is_relabelled(has: Iterable[str], change: Json) -> bool:
    """Whether a mail with these labels is as the change makes it."""
    labels = {*has}
    return {*change["addLabelIds"]} <= labels and not {*change["removeLabelIds"]} & labels


def labels_among(label_ids: Iterable[str], labels: Mapping[str, str]) -> tuple[str, ...]:
    """What a mail with these is labelled with, as a person sees it."""
    has = {*label_ids}
    return tuple(name for name, label in {**MARKS, **labels}.items() if label in has)


def head_of(message: Json) -> bytes:
    """A mail as bytes again, with what an index needs: its headers and its text; files that come with it are left out."""
    payload = cast("Json", message.get("payload") or {})
    headers = [f"{name}: {value}" for name, value in _headers(payload) if name.lower() in _HEADERS]
    parts = list(_parts(payload, _MAX_PARTS_DEEP))
    text = next((part for kind in ("text/plain", "text/html") for part in parts if part.get("mimeType") == kind and _says(part)), None)
    if text is None:
        return "\r\n".join([*headers, "", ""]).encode("utf-8", "surrogateescape")
    kind = next((value for name, value in _headers(text) if name.lower() == "content-type"), str(text["mimeType"]))
    body = base64.encodebytes(_data(text)[:HEAD_BYTES]).decode("ascii")
    lines = [*headers, "MIME-Version: 1.0", f"Content-Type: {kind}", "Content-Transfer-Encoding: base64", "", body]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")


def header_of(message: Json, name: str) -> str:
    """One header of a mail of which Gmail showed the headers; empty where it has none."""
    payload = cast("Json", message.get("payload") or {})
    return next((value.strip() for each, value in _headers(payload) if each.lower() == name.lower()), "")


def beyond_ascii(addresses: Iterable[str]) -> str:
    """Why Gmail is not asked to write to these, in a sentence; empty where it can be.

    Its API takes a mail in the form of RFC 2822, whose head is ASCII, and says nothing of RFC 6532. People report that it reads other bytes
    in a head as Latin-1: that is somebody else's address. An encoded word is none at all.
    """
    strange = ", ".join(dict.fromkeys(address for address in addresses if not address.isascii()))
    return f"Gmail is given no addresses with letters beyond ASCII from here ({strange})." if strange else ""


def decoded(data: str) -> bytes:
    """Base64 as Gmail writes it; nothing where it is none."""
    try:
        return base64.urlsafe_b64decode(data + "=" * (-len(data) % 4))
    except (binascii.Error, ValueError):
        return b""


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode("ascii")


def _words(text: str) -> list[str]:
    # In lower case `or` is a word; in capitals it would be an operator.
    return [word for word in (found.rstrip(".'+") for found in _WORD.findall(text.lower())) if word and word not in EMPTY_WORDS]


def _headers(part: Json) -> list[tuple[str, str]]:
    listed = cast("list[Json]", part.get("headers") or [])
    return [(str(one.get("name", "")), re.sub(r"[\r\n\0]+", " ", str(one.get("value", "")))) for one in listed]


def _parts(part: Json, depth: int) -> Iterator[Json]:
    """The parts that are no containers and no files."""
    inner = cast("list[Json]", part.get("parts") or [])
    if not inner:
        if not part.get("filename"):
            yield part
        return
    if depth:
        for one in inner:
            yield from _parts(one, depth - 1)


def _says(part: Json) -> bool:
    # Of the beginning alone: it is all that goes with the head.
    return not is_blank(text_of(_data(part)[:HEAD_BYTES]))


def _data(part: Json) -> bytes:
    return decoded(str(cast("Json", part.get("body") or {}).get("data") or ""))
