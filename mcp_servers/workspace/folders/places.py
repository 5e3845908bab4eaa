"""From a path as a model writes it to a place inside a root, or a sentence why there is none.

Pure: names only. That a name is harmless on the disk as well (no link, no device) is checked where it is opened.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath, PurePosixPath, PureWindowsPath

from mcp_servers.errors import Refusal
from mcp_servers.workspace.model import Place

MAX_PATH_CHARS = 4096
MAX_NAME_BYTES = 255
"""What the usual file systems take."""
_DEVICES = {"con", "prn", "aux", "nul", "conin$", "conout$", *(f"{kind}{number}" for kind in ("com", "lpt") for number in "0123456789¹²³")}
"""Names that Windows takes for devices, in any folder and with any ending."""
_SHORT = re.compile(r"[^.]{1,6}~\d{1,6}(\.[^.]{0,3})?")
"""Second names that Windows makes up: `ENV~1` may be `.env`, and nobody can see that it is."""


@dataclass(frozen=True)
class Root:
    """One folder of the workspace."""

    name: str
    """What a path begins with where there are several roots."""
    path: str
    """Absolute, links resolved."""
    also: tuple[str, ...] = ()
    """Absolute, as it was named by way of links: whoever named it so names what is in it so, too."""


def named(paths: Mapping[PurePath, Sequence[PurePath]]) -> tuple[Root, ...]:
    """Roots under names of their own: a folder's own name, numbered where two are the same.

    Args:
        paths: absolute, links resolved; each with the absolute paths that it was named by.
    """
    roots: list[Root] = []
    for path, said in paths.items():
        name, number = path.name, 1
        while any(folded(root.name) == folded(name) for root in roots):
            number += 1
            name = f"{path.name}-{number}"
        roots.append(Root(name, str(path), tuple(dict.fromkeys(str(each) for each in said if each != path))))
    return tuple(roots)


def place_of(said: str, roots: Sequence[Root], *, is_windows: bool) -> Place:
    """The place that a path names.

    1. Absolute, and below a root: the rest of it.
    2. Relative, one root: below that root.
    3. Relative, several roots: its first name is a root's.

    Raises:
        Refusal: it leads outside, or is no name that a file can have.
    """
    words = said.strip()
    _check_text(words)
    path = PureWindowsPath(words) if is_windows else PurePosixPath(words)
    if path.is_absolute() or path.drive or path.root:
        number, parts = _below_a_root(path, roots, is_windows=is_windows)  # 1
    elif len(roots) == 1:
        number, parts = 0, path.parts  # 2
    else:
        number, parts = _of_named_root(path.parts, roots)  # 3
    for part in parts:
        _check_name(part, words, is_windows=is_windows)
    return at(roots, number, tuple(parts))


def at(roots: Sequence[Root], number: int, parts: tuple[str, ...]) -> Place:
    """A place by its names."""
    shown = parts if len(roots) == 1 else (roots[number].name, *parts)
    return Place(number, parts, "/".join(shown) or ".")


def folded(name: str) -> str:
    """A name as the most forgiving file system compares it: no case, one spelling, nothing invisible, no dots or spaces at the end."""
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKD", name).casefold())
    return "".join(character for character in plain if unicodedata.category(character) != "Cf").rstrip(". ")


def _check_text(words: str) -> None:
    if len(words) > MAX_PATH_CHARS:
        raise Refusal(f"The path is longer than {MAX_PATH_CHARS} characters. Choose a shorter one.")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in words):
        raise Refusal("The path holds a control character. Give a path as it is listed.")


def _check_name(part: str, words: str, *, is_windows: bool) -> None:
    if part == "..":
        raise Refusal(f'"{words}" climbs up with "..". Give a path from the top of the workspace.')
    if len(part.encode()) > MAX_NAME_BYTES:
        raise Refusal(f"The path holds a name longer than {MAX_NAME_BYTES} bytes. Choose a shorter one.")
    if is_windows:
        stem = part.split(".")[0].rstrip(" ").casefold()
        if stem in _DEVICES or _SHORT.fullmatch(part) or part != part.rstrip(". ") or any(character in part for character in '<>:"|?*'):
            raise Refusal(f'"{part}" is no name that a file can have on Windows. Choose another.')


def _below_a_root(path: PurePath, roots: Sequence[Root], *, is_windows: bool) -> tuple[int, tuple[str, ...]]:
    """The innermost root that holds it, compared by names alone."""
    best: tuple[int, tuple[str, ...]] | None = None
    own = path.parts
    for number, spelling in ((number, spelling) for number, root in enumerate(roots) for spelling in (root.path, *root.also)):
        top = (PureWindowsPath(spelling) if is_windows else PurePosixPath(spelling)).parts
        is_below = (
            [part.casefold() for part in own[: len(top)]] == [part.casefold() for part in top] if is_windows else own[: len(top)] == top
        )
        if is_below and (best is None or len(own) - len(top) < len(best[1])):
            best = number, own[len(top) :]
    if best is None:
        raise Refusal(f'"{path}" is outside the workspace. Choose a place in {_list(roots)}.')
    return best


def _of_named_root(parts: tuple[str, ...], roots: Sequence[Root]) -> tuple[int, tuple[str, ...]]:
    for number, root in enumerate(roots):
        if parts and parts[0] == root.name:
            return number, parts[1:]
    raise Refusal(f"Begin the path with one of the workspace's folders: {', '.join(root.name for root in roots)}.")


def _list(roots: Sequence[Root]) -> str:
    return ", ".join(root.path for root in roots)
