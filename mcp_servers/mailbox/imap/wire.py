"""What an IMAP server's lines mean: folder names in modified UTF-7, the list of folders, and what a FETCH brings.

Pure. Names and texts are a stranger's: whatever does not fit is left out.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_LISTED = re.compile(rb'\(([^)]*)\) ("(?:[^"\\]|\\.)*"|NIL) (.*)', re.DOTALL)
_NUMBER = re.compile(rb"\s*(\d+)")
_UID = re.compile(rb"\bUID (\d+)")
_FLAGS = re.compile(rb"\bFLAGS \(([^)]*)\)")
_QUOTED = rb'"(?:[^"\\]|\\.)*"'
_LABELS = re.compile(rb"X-GM-LABELS \(((?:" + _QUOTED + rb'|[^()"])*)\)')
_LABEL = re.compile(_QUOTED + rb'|[^\s"]+')
_MAX_UIDS = 10_000
_SHIFTED = re.compile(r"&([^-]*)-")
_ALL = "All"
_ROLE_OF = {rb"\drafts": "Drafts", rb"\sent": "Sent", rb"\archive": "Archive", rb"\trash": "Trash", rb"\all": _ALL}
_NAMES = {
    "Sent": ("sent", "sent items", "sent mail", "sent messages"),
    "Drafts": ("drafts",),
    "Archive": ("archive", "archives", "all mail"),
    "Trash": ("trash", "deleted items", "deleted messages", "bin"),
}
"""What servers call them that do not say which folder has which role."""
_GMAIL = frozenset({"[gmail]", "[google mail]"})
"""What its own folders lie in, in every language."""


@dataclass(frozen=True)
class Fetched:
    """One message of an answer."""

    number: int
    """Where it stands in the folder, from 1."""
    uid: int
    flags: frozenset[bytes]
    content: bytes | None
    labels: frozenset[bytes] = frozenset()
    """Gmail's, where they were asked for."""


@dataclass(frozen=True)
class Listed:
    """One folder of an account."""

    name: str
    """As the server spells it, decoded."""
    role: str = ""
    """What the server says it is for."""
    delimiter: str = "/"
    """Between its name and that of the folder that it lies in; empty where no folder lies in another."""


def decoded_name(name: str) -> str:
    """A folder's name from modified UTF-7 (RFC 3501, 5.1.3)."""

    def shifted(match: re.Match[str]) -> str:
        if not match[1]:
            return "&"
        try:
            return base64.b64decode(match[1].replace(",", "/") + "=" * (-len(match[1]) % 4), validate=True).decode("utf-16-be")
        except (binascii.Error, UnicodeDecodeError):
            return match[0]

    return _SHIFTED.sub(shifted, name)


def encoded_name(name: str) -> str:
    """A folder's name in modified UTF-7."""

    def shifted(match: re.Match[str]) -> str:
        if match[0] == "&":
            return "&-"
        return "&" + base64.b64encode(match[0].encode("utf-16-be")).decode().rstrip("=").replace("/", ",") + "-"

    return re.sub(r"&|[^\x20-\x7e]+", shifted, name)


def quoted_name(name: str) -> str:
    """A folder's name as a command's argument."""
    inner = encoded_name(name).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{inner}"'


def listed_folders(lines: Iterable[object]) -> list[Listed]:
    """The folders of a LIST answer that can be opened."""
    found: list[Listed] = []
    for line in lines:
        head, literal = line if isinstance(line, tuple) else (line, None)  # pyright: ignore[reportUnknownVariableType]
        match = _LISTED.fullmatch(head) if isinstance(head, bytes) else None
        if match is None:
            continue
        attributes = {attribute.lower() for attribute in match[1].split()}
        raw = literal if isinstance(literal, bytes) else _unquoted(match[3])
        if rb"\noselect" not in attributes and rb"\nonexistent" not in attributes and raw:
            role = next((role for attribute, role in _ROLE_OF.items() if attribute in attributes), "")
            delimiter = b"" if match[2] == b"NIL" else _unquoted(match[2])
            found.append(Listed(decoded_name(raw.decode("ascii", "replace")), role, delimiter.decode("ascii", "replace")))
    return found


def roles_of(folders: Iterable[Listed]) -> Mapping[str, str]:
    """The server's name of each role's folder: what it says, else what is usual.

    Gmail has no archive: what has left the inbox is where everything is. Elsewhere such a folder is a view, into which nothing can be put.
    """
    listed = list(folders)
    found = {"Inbox": "INBOX"}
    for role, names in _NAMES.items():
        said = next((folder.name for folder in listed if folder.role == role or (role == "Archive" and _is_gmails_all(folder))), None)
        usual = next((folder.name for name in names for folder in listed if _last(folder) == name), None)
        if said or usual:
            found[role] = said or usual or ""
    return found


def prefix_of(folders: Iterable[Listed]) -> str:
    """What the name of a new folder begins with: the inbox, where all others lie in it."""
    others = [folder for folder in folders if folder.name.upper() != "INBOX"]
    prefixes = {folder.name[: len("INBOX") + len(folder.delimiter)] for folder in others}
    in_inbox = all(folder.delimiter and folder.name.upper().startswith(f"INBOX{folder.delimiter}".upper()) for folder in others)
    return min(prefixes) if others and in_inbox else ""


def fetched(items: Iterable[object]) -> list[Fetched]:
    """The messages of a FETCH answer as the library hands it over: texts, and pairs of a text and a literal."""
    found: list[Fetched] = []
    head, content = b"", None
    for item in items:
        if isinstance(item, tuple) and len(item) == 2:  # pyright: ignore[reportUnknownArgumentType]
            first, literal = item  # pyright: ignore[reportUnknownVariableType]
            head += first if isinstance(first, bytes) else b""
            content = literal if isinstance(literal, bytes) else None
            continue
        head += item if isinstance(item, bytes) else b""
        labels = _LABELS.search(head)
        head = _LABELS.sub(b"", head)  # in a person's own label may be anything
        number, uid, flags = _NUMBER.match(head), _UID.search(head), _FLAGS.search(head)
        if number is not None and uid is not None:
            marks = frozenset(flags[1].lower().split()) if flags else frozenset[bytes]()
            names = frozenset(_unquoted(name).lower() for name in _LABEL.findall(labels[1])) if labels else frozenset[bytes]()
            found.append(Fetched(int(number[1]), int(uid[1]), marks, content, names))
        head, content = b"", None
    return found


def uids_in(text: str) -> tuple[int, ...]:
    """The UIDs of a set such as `4,7:9`, in its order; none of one that is too long to be an answer to us."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition(":")
        if not first.isdecimal() or not (last or first).isdecimal() or abs(int(last or first) - int(first)) > _MAX_UIDS:
            return ()
        low, high = sorted((int(first), int(last or first)))
        found += range(low, high + 1)
    return tuple(found)


def _is_gmails_all(folder: Listed) -> bool:
    return folder.role == _ALL and bool(folder.delimiter) and folder.name.partition(folder.delimiter)[0].lower() in _GMAIL


def _last(folder: Listed) -> str:
    name = folder.name.rpartition(folder.delimiter)[2] if folder.delimiter else folder.name
    return name.lower()


def _unquoted(text: bytes) -> bytes:
    text = text.strip()
    if text.startswith(b'"') and text.endswith(b'"') and len(text) > 1:
        return re.sub(rb"\\(.)", rb"\1", text[1:-1])
    return text
