"""Client keys: made once, kept as hashes in a file that only its owner can read, and found again by their public part.

A key is 256 random bits, so one round of SHA-256 is enough: there is no dictionary to try.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from config.disk.file_lock import try_lock
from config.disk.whole_file import write_whole
from inference.door.access import KeyInfo
from inference.errors import KeyFileRefused

KEY_FILE = "engine.keys"
"""Its name in the home's folder of settings."""
KEY_PREFIX = "vk"
"""Makes a leaked key recognisable to scanners and to people."""
LOCK_BOUND_S = 5.0
"""Another command changes the file for milliseconds; one that takes longer has hung."""
LEAST_PRIORITY, HIGHEST_PRIORITY = -100, 100
_ID_BYTES = 4
_KEY_BYTES = 32
_OTHERS_MAY = 0o077
_NOBODYS_HASH = bytes(hashlib.sha256().digest_size)
"""Compared with where no key has that id, so that a stranger cannot tell by the time that it took."""


class StoredKey(BaseModel):
    """One line of the key file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    id: str = Field(pattern=r"^[0-9a-f]{8}$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    tiers: tuple[str, ...] | None = None
    read_only: bool = False
    priority: int = Field(default=0, ge=LEAST_PRIORITY, le=HIGHEST_PRIORITY)

    @property
    def info(self) -> KeyInfo:
        """What others may know of it."""
        return KeyInfo(self.name, self.id, self.priority, self.tiers, self.read_only)


class Keys:
    """The known keys. Without any, everybody on this machine may speak; nobody else can, because of where the engine may listen."""

    def __init__(self, stored: Iterable[StoredKey] = ()) -> None:
        self._by_id = {key.id: key for key in stored}

    @property
    def is_open(self) -> bool:
        """Whether there is no key at all."""
        return not self._by_id

    @property
    def ids(self) -> frozenset[str]:
        """The public parts."""
        return frozenset(self._by_id)

    @property
    def infos(self) -> tuple[KeyInfo, ...]:
        """The clients that have a key, in the order in which they got it."""
        return tuple(key.info for key in self._by_id.values())

    def client_of(self, key: str) -> KeyInfo | None:
        """Whose key this is; found by its id, compared in constant time."""
        prefix, _, rest = key.partition("_")
        stored = self._by_id.get(rest.partition("_")[0]) if prefix == KEY_PREFIX else None
        known = _NOBODYS_HASH if stored is None else bytes.fromhex(stored.sha256)
        is_same = hmac.compare_digest(hashlib.sha256(key.encode()).digest(), known)
        return stored.info if stored is not None and is_same else None


def load_keys(path: Path, parent: StoredKey | None = None) -> Keys:
    """Read the key file; a missing one holds no keys.

    Args:
        path: the key file.
        parent: the key of who started us. It opens where a key is needed, and does not by itself make one needed.

    Raises:
        KeyFileRefused: others can read it, or a line makes no sense.
    """
    stored = _read(path)
    return Keys([*stored, parent] if stored and parent is not None else stored)


def add_key(path: Path, name: str, *, tiers: tuple[str, ...] | None = None, is_read_only: bool = False, priority: int = 0) -> str:
    """Make a key for a client and store its hash.

    Args:
        path: the key file.
        name: whose key it is.
        tiers: the only names that it may ask for; None for all.
        is_read_only: whether it may only look.
        priority: from `LEAST_PRIORITY` to `HIGHEST_PRIORITY`; a higher one waits less.

    Returns:
        The key, which nothing keeps.

    Raises:
        KeyFileRefused: the name is taken or impossible, or the file is refused.
    """
    with _changing(path) as stored:
        if any(each.name == name for each in stored):
            raise KeyFileRefused(f"There is already a key for {name!r} in {path}.")
        key_id = secrets.token_hex(_ID_BYTES)
        while any(each.id == key_id for each in stored):
            key_id = secrets.token_hex(_ID_BYTES)
        key = f"{KEY_PREFIX}_{key_id}_{secrets.token_hex(_KEY_BYTES)}"
        digest = hashlib.sha256(key.encode()).hexdigest()
        try:
            new = StoredKey(name=name, id=key_id, sha256=digest, tiers=tiers, read_only=is_read_only, priority=priority)
        except ValidationError as error:
            raise KeyFileRefused(f"{name!r} is no name for a client: use letters, digits, '.', '_' and '-'.") from error
        _write(path, [*stored, new])
    return key


def remove_key(path: Path, name: str) -> None:
    """Forget a client's key.

    Raises:
        KeyFileRefused: there is none of that name, or the file is refused.
    """
    with _changing(path) as stored:
        kept = [each for each in stored if each.name != name]
        if len(kept) == len(stored):
            names = ", ".join(each.name for each in stored) or "none"
            raise KeyFileRefused(f"There is no key for {name!r} in {path}. There are: {names}.")
        _write(path, kept)


@contextmanager
def _changing(path: Path) -> Generator[list[StoredKey]]:
    """The keys that are there, while nobody else can change them: of two commands at once neither undoes what the other did.

    Raises:
        KeyFileRefused: somebody else has the file for too long, or it is refused.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with try_lock(path.with_name(f"{path.name}.lock"), timeout_s=LOCK_BOUND_S) as is_ours:
            if not is_ours:
                raise KeyFileRefused(f"Another program has been changing {path} for {LOCK_BOUND_S:g} s. End it, then try again.")
            yield _read(path)
    except OSError as error:
        raise KeyFileRefused(f"{path} cannot be changed: {error.strerror}. Nothing was changed.") from error


def _read(path: Path) -> list[StoredKey]:
    try:
        # One open file, so that what is checked is what is read.
        with path.open(encoding="utf-8-sig") as file:
            if os.name == "posix" and os.fstat(file.fileno()).st_mode & _OTHERS_MAY:
                raise KeyFileRefused(f"{path} can be read or changed by others. Do: chmod 600 {path}")
            lines = file.read().splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileRefused(f"{path} cannot be read: {error}") from error
    stored: list[StoredKey] = []
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            stored.append(_parse(path, number, line, stored))
    return stored


def _parse(path: Path, number: int, line: str, before: list[StoredKey]) -> StoredKey:
    try:
        key = StoredKey.model_validate_json(line)
    except ValidationError:
        # Without the cause, which would quote the line.
        raise KeyFileRefused(
            f"{path}, line {number}, is no key of this version. Delete the line and make the key anew: variet engine keys add NAME"
        ) from None
    if any(each.name == key.name or each.id == key.id for each in before):
        raise KeyFileRefused(f"{path}, line {number}: {key.name!r} or its id is there twice.")
    return key


def _write(path: Path, stored: list[StoredKey]) -> None:
    text = "".join(f"{key.model_dump_json(exclude_defaults=True)}\n" for key in stored)
    write_whole(path, text)
