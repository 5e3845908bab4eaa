"""A root's files on POSIX: every folder on the way is opened by itself, from the one above it, and no link is ever followed.

The one module of the workspace that makes calls which only POSIX knows (`windows_files.py` is the other side). A path is never given to the
system whole: between a check and a use, somebody may put a link where a folder was. Here the folder that was checked is the open one.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import BinaryIO

from mcp_servers.workspace.model import UNNAMED, Content, Entry, Found, Kind

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A FIFO or a device must neither block nor become our terminal, should one appear after the look.
_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_NEW_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FOLDER_MODE = 0o777
_ONLY_IF_FREE = {"linux": ("renameat2", 1), "darwin": ("renameatx_np", 4)}
"""A system's call to rename without replacing, and the flag that says so."""
_PERMISSIONS = 0o777
"""What is kept of a mode: a file that a model wrote is no longer one that runs as somebody else."""
_CHUNK_BYTES = 1 << 20

Parts = Sequence[str]


class RootFiles:
    """The files below one root. Not bound to a thread.

    Every method raises `OSError` as the system says it; a link in the way is `ELOOP` or `ENOTDIR`.
    """

    def __init__(self, root: str) -> None:
        self._root = root

    @contextmanager
    def opened(self, parts: Parts) -> Generator[int]:
        """A descriptor of the folder, opened name by name."""
        folder = os.open(self._root, _FOLDER_FLAGS)
        try:
            for name in parts:
                below = os.open(_plain(name), _FOLDER_FLAGS, dir_fd=folder)
                os.close(folder)
                folder = below
            yield folder
        finally:
            os.close(folder)

    @contextmanager
    def _above(self, parts: Parts) -> Generator[tuple[int, str]]:
        """The folder that a name is in, and the name."""
        with self.opened(parts[:-1]) as folder:
            yield folder, _plain(parts[-1])

    def look(self, parts: Parts) -> Found:
        if not parts:
            with self.opened(()) as root:
                return _found(os.fstat(root))
        with self._above(parts) as (folder, name):
            return _found(os.stat(name, dir_fd=folder, follow_symlinks=False))

    def entries(self, parts: Parts, limit: int) -> list[Entry]:
        """The first names, sorted; no more than `limit` are looked at."""
        found: list[Entry] = []
        with self.opened(parts) as folder, os.scandir(folder) as listing:
            for entry in listing:
                if len(found) >= limit:
                    break
                with suppress(FileNotFoundError):  # gone since it was listed
                    details = entry.stat(follow_symlinks=False)
                    kind = _kind(details.st_mode)
                    found.append(Entry(entry.name, kind, details.st_size if kind == "file" else 0))
        return sorted(found, key=lambda entry: entry.name)

    def read(self, parts: Parts, limit: int) -> tuple[Found, bytes]:
        """A regular file's first bytes, one more than `limit` where there are as many.

        Raises:
            OSError: also EINVAL for what is no regular file.
        """
        with self._above(parts) as (folder, name):
            return _read(folder, name, limit)

    @contextmanager
    def reading(self, parts: Parts) -> Generator[tuple[Found, Iterator[bytes]]]:
        """A regular file, and its bytes piece by piece while it is open."""
        with self._above(parts) as (folder, name), _opened(folder, name) as (found, file):
            yield found, iter(lambda: file.read(_CHUNK_BYTES), b"")

    def create(self, parts: Parts, content: Content) -> None:
        """A new file, there whole or not at all; nothing is ever replaced."""
        with self._above(parts) as (folder, name), _written(folder, content) as fresh:
            _give_name(folder, fresh, folder, name, is_file=True)
            os.fsync(folder)

    def replace(self, parts: Parts, content: Content, expected: bytes) -> bool:
        """Put a file in another's place at once; False, and nothing done, when the other no longer holds what is expected."""
        with self._above(parts) as (folder, name), _written(folder, content) as fresh:
            if not _holds(folder, name, expected):
                return False
            os.rename(fresh, name, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)
            return True

    def remove(self, parts: Parts, expected: bytes) -> bool:
        """Remove a file; False, and nothing done, when it no longer holds what is expected."""
        with self._above(parts) as (folder, name):
            if not _holds(folder, name, expected):
                return False
            os.unlink(name, dir_fd=folder)
            os.fsync(folder)
            return True

    def sweep(self, parts: Parts) -> None:
        """Remove from a folder what somebody wrote and died before it had its name."""
        with self.opened(parts) as folder, os.scandir(folder) as listing:
            for name in [entry.name for entry in listing if UNNAMED.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)]:
                os.unlink(name, dir_fd=folder)

    def make_folder(self, parts: Parts, mode: int | None = None) -> None:
        """A new folder, with these permissions (its owner may always enter it) or the usual ones."""
        with self._above(parts) as (folder, name):
            os.mkdir(name, _NEW_FOLDER_MODE, dir_fd=folder)
        if mode is not None:
            with self.opened(parts) as folder:
                os.fchmod(folder, mode & _PERMISSIONS | 0o700)

    def remove_folder(self, parts: Parts) -> None:
        """Remove an empty folder."""
        with self._above(parts) as (folder, name):
            os.rmdir(name, dir_fd=folder)

    def move(self, parts: Parts, other: RootFiles, target: Parts) -> None:
        """Give a file or a folder another name, perhaps in another root of the same disk; nothing is ever replaced."""
        with self._above(parts) as (source, name), other._above(target) as (folder, new):
            details = os.stat(name, dir_fd=source, follow_symlinks=False)
            if _is_same(folder, new, details) and new.casefold() == name.casefold():
                os.rename(name, new, src_dir_fd=source, dst_dir_fd=folder)
            else:
                _give_name(source, name, folder, new, is_file=stat.S_ISREG(details.st_mode))
            os.fsync(folder)
            os.fsync(source)

    def untwin(self, parts: Parts, other: RootFiles, target: Parts) -> None:
        """Take back the second name that a file has where a move was killed between the two; anything else is left as it is."""
        with self._above(parts) as (source, name), other._above(target) as (folder, new):
            details = os.stat(name, dir_fd=source, follow_symlinks=False)
            is_one_name = details.st_nlink < 2 or name.casefold() == new.casefold() and os.fstat(source).st_ino == os.fstat(folder).st_ino
            if stat.S_ISREG(details.st_mode) and not is_one_name and _is_same(folder, new, details):
                os.unlink(new, dir_fd=folder)


def _plain(name: str) -> str:
    """The name, if it is one: nothing that climbs, stays, or holds a path.

    Raises:
        OSError: EINVAL, it is none.
    """
    if name in {"", ".", ".."} or "/" in name or "\0" in name:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return name


def _give_name(source: int, name: str, folder: int, new: str, *, is_file: bool) -> None:
    """Another name for what has one already; nothing is replaced.

    1. In one step, where system and disk can: there is never a file with two names, nor with none.
    2. Else a file gets the other name beside its own, which then goes.
    3. Else (a folder, a disk without hard links) the check and the renaming are two steps.

    Raises:
        OSError: also EEXIST, the name is taken.
    """
    if _renamed(source, name, folder, new):  # 1
        return
    if is_file and _linked(source, name, folder, new):  # 2
        os.unlink(name, dir_fd=source)
        return
    if _is_there(folder, new):  # 3
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    os.rename(name, new, src_dir_fd=source, dst_dir_fd=folder)


def _renamed(source: int, name: str, folder: int, new: str) -> bool:
    """By a call that Python does not wrap. False where the system has none, or the disk does not know it."""
    call, flag = _ONLY_IF_FREE.get(sys.platform, ("", 0))
    if not call:
        return False
    # Only when it is needed: a server that waits for its first change has started sooner.
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    rename = getattr(libc, call, None)
    if rename is None:
        return False
    if rename(source, os.fsencode(name), folder, os.fsencode(new), flag) == 0:
        return True
    number = ctypes.get_errno()
    if number in {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}:
        return False
    raise OSError(number, os.strerror(number))


def _linked(source: int, name: str, folder: int, target: str) -> bool:
    """Whether the file now has the other name too. False on a disk without hard links."""
    try:
        os.link(name, target, src_dir_fd=source, dst_dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS}:
            raise
        return False
    return True


@contextmanager
def _written(folder: int, content: Content) -> Generator[str]:
    """A new file under a name of its own in the folder, on the disk with its mode; removed at the end if it still has that name."""
    name = f".variet-{secrets.token_hex(8)}.new"
    descriptor = os.open(name, _NEW_FLAGS, 0o600, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content.data)
            file.flush()
            os.fchmod(file.fileno(), content.mode & _PERMISSIONS)
            os.fsync(file.fileno())
        yield name
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)


def _read(folder: int, name: str, limit: int) -> tuple[Found, bytes]:
    with _opened(folder, name) as (found, file):
        chunks: list[bytes] = []
        wanted = limit + 1
        while wanted and (chunk := file.read(min(wanted, _CHUNK_BYTES))):
            chunks.append(chunk)
            wanted -= len(chunk)
        return found, b"".join(chunks)


@contextmanager
def _opened(folder: int, name: str) -> Generator[tuple[Found, BinaryIO]]:
    # Looked at before it is opened: opening a device may already do something.
    _check_regular(os.stat(name, dir_fd=folder, follow_symlinks=False))
    with os.fdopen(os.open(name, _READ_FLAGS, dir_fd=folder), "rb") as file:
        details = os.fstat(file.fileno())
        _check_regular(details)
        yield _found(details), file


def _check_regular(details: os.stat_result) -> None:
    if stat.S_ISLNK(details.st_mode):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    if stat.S_ISDIR(details.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(details.st_mode):
        raise OSError(errno.ENXIO, os.strerror(errno.ENXIO))


def _holds(folder: int, name: str, expected: bytes) -> bool:
    _, data = _read(folder, name, len(expected))
    return data == expected


def _is_there(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _is_same(folder: int, name: str, details: os.stat_result) -> bool:
    try:
        other = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return (other.st_dev, other.st_ino) == (details.st_dev, details.st_ino)


def _found(details: os.stat_result) -> Found:
    mode = details.st_mode
    return Found(_kind(mode), details.st_size, mode & _PERMISSIONS, details.st_nlink, details.st_dev, details.st_ino)


def _kind(mode: int) -> Kind:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "folder"
    return "link" if stat.S_ISLNK(mode) else "other"
