"""What a message mentions: after an @ a file or the output of the last `!command`, and pictures dropped on the terminal."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote

OUTPUT = "!"
"""`@!` is the output of the last command."""
_MENTION = re.compile(r'(?:^|(?<=\s))@(?:"([^"\n]+)"|(\S+))')
_TRAILING = ",.;:!?)]}'\""
"""What ends a sentence and not a name."""


PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".heic")
"""Endings of pictures, also of those that no model can be shown."""
TEXTS = tuple(
    ".txt .md .rst .log .csv .tsv .json .jsonl .toml .yaml .yml .ini .cfg .conf .xml .html .css .py .ipynb .js .ts .tsx .jsx .sh"
    " .c .h .cpp .rs .go .java .rb .sql .tex .eml .ics .vcf .pdf .docx .xlsx".split()
)
"""Endings of other files that are usually mentioned."""
_PASTED = re.compile(r"(?:^|(?<=\s))(?:'([^'\n]+)'|\"([^\"\n]+)\"|((?:\\.|[^\s\\'\"])+))")
_PACKAGE = re.compile(r"[a-z0-9~-][a-z0-9._~-]*/[a-z0-9_~-]+(?:@\S*)?")
"""As npm's packages are named behind their @: `types/node`, with a version or without."""


class Mention(NamedTuple):
    """One mention."""

    name: str
    """A path as typed, or `!`."""
    shorter: str
    """The same without what may end the sentence; used where there is no file of the whole name."""


def mentions_of(text: str) -> list[Mention]:
    """Everything that is mentioned, each once, in order."""
    found: dict[str, Mention] = {}
    for match in _MENTION.finditer(text):
        quoted, bare = match[1], match[2]
        if quoted is not None:
            found.setdefault(quoted, Mention(quoted, quoted))
        elif bare.startswith(OUTPUT) and not bare[1:].strip(_TRAILING):
            found.setdefault(OUTPUT, Mention(OUTPUT, OUTPUT))
        else:
            found.setdefault(bare, Mention(bare, bare.rstrip(_TRAILING)))
    return list(found.values())


def written(name: str) -> str | None:
    """A file's name as it stands behind an @, in quotes where it would end too early without; None for one that no mention can name."""
    return next((form for form in (name, f'"{name}"') if mentions_of(f"@{form}") == [_whole(form, name)] and name != OUTPUT), None)


def _whole(form: str, name: str) -> Mention:
    return Mention(name, name.rstrip(_TRAILING) if form == name else name)


class Pasted(NamedTuple):
    """The whole path of a picture."""

    path: str
    is_dropped: bool
    """Whether it is written as only a terminal writes it, or is all that there is."""


def pasted_pictures(text: str) -> list[Pasted]:
    """Whole paths of pictures, as terminals write what was dropped on them: quoted, with escaped blanks, or as an address."""
    found: dict[str, Pasted] = {}
    for match in _PASTED.finditer(text):
        quoted = match[1] or match[2]
        path = quoted or re.sub(r"\\(.)", r"\1", match[3])
        if path.startswith("file:///"):
            path = unquote(path.removeprefix("file://"))
        if is_picture(path) and path.startswith(("/", "~/")):
            found.setdefault(path, Pasted(path, is_dropped=match[3] != path or path == text.strip()))
    return list(found.values())


def is_picture(name: str) -> bool:
    """By its ending."""
    return name.lower().endswith(PICTURES)


def looks_like_path(name: str) -> bool:
    """Whether somebody who wrote this meant a file: it has a folder or an ending in it."""
    return "/" in name or "\\" in name or "." in name.strip(".")


def is_named_as_package(name: str) -> bool:
    """Whether it is what follows the @ of a package of npm's."""
    return _PACKAGE.fullmatch(name) is not None


def is_named_as_file(name: str) -> bool:
    """Whether it ends as a file does that somebody may want to show."""
    return name.lower().endswith((*TEXTS, *PICTURES))
