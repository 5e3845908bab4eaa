"""A root's files on Windows, and wherever folders cannot be opened by descriptor: each name on the way is looked at before and after.

The same methods as `posix_files.RootFiles`. No link, junction or other reparse point is followed: every folder on the way is looked
at (`lstat`, its reparse attribute), and after a file was opened the way is looked at again and must lead to the very file that is open. A
writer that swaps a folder for a junction and back between the two looks is not excluded here, as it is on POSIX.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from mcp_servers.workspace.model import UNNAMED, Content, Entry, Found, Kind

_REPARSE_POINT = 0x400
"""`FILE_ATTRIBUTE_REPARSE_POINT`: a link, a junction, or a file that a cloud would fetch."""
_NO_INHERIT = getattr(os, "O_NOINHERIT", 0) | getattr(os, "O_BINARY", 0)
_PERMISSIONS = 0o777
_CHUNK_BYTES = 1 << 20

Parts = Sequence[str]


class RootFiles:
    """The files below one root. Every method raises `OSError` as the system says it; a link in the way is `ELOOP`."""

    def __init__(self, root: str) -> None:
        self._root = Path(root)

    @contextmanager
    def opened(self, parts: Parts) -> Generator[int]:
        """No folder has a descriptor here.

        Raises:
            OSError: always ENOTSUP, so that the caller takes the path that `checked` gives.
        """
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
        yield 0

    def checked(self, parts: Parts) -> Path:
        """The path of a folder, after a look at every name on the way."""
        path = self._root
        for name in parts:
            path /= _plain(name)
            details = os.lstat(path)
            if _is_link(details):
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            if not stat.S_ISDIR(details.st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        return path

    def look(self, parts: Parts) -> Found:
        return _found(os.lstat(self._path(parts)))

    def entries(self, parts: Parts, limit: int) -> list[Entry]:
        found: list[Entry] = []
        with os.scandir(self.checked(parts)) as listing:
            for entry in listing:
                if len(found) >= limit:
                    break
                with suppress(FileNotFoundError):
                    details = entry.stat(follow_symlinks=False)
                    kind = _kind(details)
                    found.append(Entry(entry.name, kind, details.st_size if kind == "file" else 0))
        return sorted(found, key=lambda entry: entry.name)

    def read(self, parts: Parts, limit: int) -> tuple[Found, bytes]:
        with self._opened(parts) as (found, file):
            return found, file.read(limit + 1)

    @contextmanager
    def reading(self, parts: Parts) -> Generator[tuple[Found, Iterator[bytes]]]:
        with self._opened(parts) as (found, file):
            yield found, iter(lambda: file.read(_CHUNK_BYTES), b"")

    @contextmanager
    def _opened(self, parts: Parts) -> Generator[tuple[Found, BinaryIO]]:
        path = self._path(parts)
        _check_regular(os.lstat(path))
        descriptor = os.open(path, os.O_RDONLY | _NO_INHERIT)
        with os.fdopen(descriptor, "rb") as file:
            details = os.fstat(file.fileno())
            again = os.lstat(self._path(parts))
            _check_regular(again)
            if (again.st_dev, again.st_ino) != (details.st_dev, details.st_ino):
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            yield _found(details), file

    def create(self, parts: Parts, content: Content) -> None:
        path = self._path(parts)
        with _written(path.parent, content) as fresh:
            self.checked(parts[:-1])
            if os.path.lexists(path):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            os.rename(fresh, path)  # refuses to replace, on Windows

    def replace(self, parts: Parts, content: Content, expected: bytes) -> bool:
        path = self._path(parts)
        with _written(path.parent, content) as fresh:
            if self.read(parts, len(expected))[1] != expected:
                return False
            os.replace(fresh, path)
            return True

    def remove(self, parts: Parts, expected: bytes) -> bool:
        if self.read(parts, len(expected))[1] != expected:
            return False
        os.unlink(self._path(parts))
        return True

    def sweep(self, parts: Parts) -> None:
        folder = self.checked(parts)
        for name in [name for name in os.listdir(folder) if UNNAMED.fullmatch(name)]:
            os.unlink(folder / name)

    def make_folder(self, parts: Parts, mode: int | None = None) -> None:
        os.mkdir(self._path(parts), 0o777 if mode is None else mode & _PERMISSIONS | 0o700)

    def remove_folder(self, parts: Parts) -> None:
        os.rmdir(self._path(parts))

    def move(self, parts: Parts, other: RootFiles, target: Parts) -> None:
        source, path = self._path(parts), other.checked(target[:-1]) / _plain(target[-1])
        is_respelled = os.path.lexists(path) and os.path.samefile(source, path) and path.name.casefold() == source.name.casefold()
        if os.path.lexists(path) and not is_respelled:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        os.rename(source, path)

    def untwin(self, parts: Parts, other: RootFiles, target: Parts) -> None:
        """Nothing: a file that moves here has one name throughout."""

    def _path(self, parts: Parts) -> Path:
        return self.checked(parts[:-1]) / _plain(parts[-1]) if parts else self._root


def _plain(name: str) -> str:
    if name in {"", ".", ".."} or any(character in name for character in "/\\:\0"):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return name


@contextmanager
def _written(folder: Path, content: Content) -> Generator[Path]:
    fresh = folder / f".variet-{secrets.token_hex(8)}.new"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_INHERIT, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content.data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(fresh, content.mode & _PERMISSIONS)
        yield fresh
    finally:
        with suppress(FileNotFoundError):
            os.unlink(fresh)


def _is_link(details: os.stat_result) -> bool:
    return stat.S_ISLNK(details.st_mode) or bool(getattr(details, "st_file_attributes", 0) & _REPARSE_POINT)


def _check_regular(details: os.stat_result) -> None:
    if _is_link(details):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    if stat.S_ISDIR(details.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(details.st_mode):
        raise OSError(errno.ENXIO, os.strerror(errno.ENXIO))


def _found(details: os.stat_result) -> Found:
    return Found(_kind(details), details.st_size, details.st_mode & _PERMISSIONS, details.st_nlink, details.st_dev, details.st_ino)


def _kind(details: os.stat_result) -> Kind:
    if _is_link(details):
        return "link"
    if stat.S_ISREG(details.st_mode):
        return "file"
    return "folder" if stat.S_ISDIR(details.st_mode) else "other"
