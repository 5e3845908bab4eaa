"""Who may speak to the engine: client keys, kept as hashes, and the addresses that it may listen on.

A key is 256 random bits, so one round of SHA-256 is enough: there is no dictionary to try. The rules are one-sided on purpose: what is not
clearly private is refused.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from inference.errors import BindRefused, KeyFileRefused

KEY_FILE = "engine.keys"
"""Its name in the home's folder of settings."""
KEY_PREFIX = "variet-"
"""Makes a leaked key recognisable to scanners and to people."""
_KEY_BYTES = 32
_OTHERS_MAY = 0o077
_LINE = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s+(?P<hash>[0-9a-f]{64})$")


class Keys:
    """The known keys. Without any, everybody may speak; `check_bind` sees to it that this is loopback only."""

    def __init__(self, hashes: Mapping[str, str]) -> None:
        self._hashes = {name: bytes.fromhex(digest) for name, digest in hashes.items()}

    @property
    def is_open(self) -> bool:
        """Whether no key is needed."""
        return not self._hashes

    @property
    def names(self) -> tuple[str, ...]:
        """The clients that have a key."""
        return tuple(self._hashes)

    def client_of(self, key: str) -> str | None:
        """The client whose key this is. Every hash is compared, in constant time."""
        digest = hashlib.sha256(key.encode()).digest()
        found: str | None = None
        for name, known in self._hashes.items():
            if hmac.compare_digest(digest, known):
                found = name
        return found


def new_key() -> str:
    """A fresh key, to be shown once."""
    return KEY_PREFIX + secrets.token_urlsafe(_KEY_BYTES)


def load_keys(path: Path) -> Keys:
    """Read the key file, one `NAME SHA256` per line; a missing file holds no keys.

    Raises:
        KeyFileRefused: others can read it, or a line makes no sense.
    """
    return Keys(_read(path))


def add_key(path: Path, name: str) -> str:
    """Make a key for a client and store its hash.

    Raises:
        KeyFileRefused: the name is taken or impossible, or the file is refused.
    """
    hashes = _read(path)
    key = new_key()
    if name in hashes:
        raise KeyFileRefused(f"There is already a key for {name!r} in {path}.")
    hashes[name] = hashlib.sha256(key.encode()).hexdigest()
    _write(path, hashes)
    return key


def remove_key(path: Path, name: str) -> None:
    """Forget a client's key.

    Raises:
        KeyFileRefused: there is none of that name, or the file is refused.
    """
    hashes = _read(path)
    if name not in hashes:
        raise KeyFileRefused(f"There is no key for {name!r} in {path}. There are: {', '.join(hashes) or 'none'}.")
    del hashes[name]
    _write(path, hashes)


def _read(path: Path) -> dict[str, str]:
    try:
        # One open file, so that what is checked is what is read.
        with path.open(encoding="utf-8") as file:
            if os.name == "posix" and os.fstat(file.fileno()).st_mode & _OTHERS_MAY:
                raise KeyFileRefused(f"{path} can be read or changed by others. Do: chmod 600 {path}")
            lines = file.read().splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileRefused(f"{path} cannot be read: {error}") from error
    hashes: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.match(line.strip())
        if match is None or match["name"] in hashes:
            raise KeyFileRefused(f"{path}, line {number}: expected a new NAME and a SHA-256 in hexadecimal.")
        hashes[match["name"]] = match["hash"]
    return hashes


def _write(path: Path, hashes: Mapping[str, str]) -> None:
    text = "".join(f"{name} {digest}\n" for name, digest in hashes.items())
    for name, digest in hashes.items():
        if not _LINE.match(f"{name} {digest}"):
            raise KeyFileRefused(f"{name!r} is no name for a client: use letters, digits, '.', '_' and '-'.")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(part, path)


def check_bind(host: str, keys: Keys) -> None:
    """Refuse an address that would expose the engine.

    1. Loopback: always.
    2. A name other than localhost: refused, nobody can see where it leads.
    3. A wildcard or a public address: refused.
    4. A private address: with keys only.

    Raises:
        BindRefused: with what to do instead.
    """
    # 1. 2.
    if host == "localhost":
        return
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        raise BindRefused(f"server.host = {host!r} is no address. Give an IP address of this machine, or localhost.") from None
    if address.is_loopback:
        return
    # 3.
    if address.is_unspecified:
        raise BindRefused(f"server.host = {host!r} would listen on every network. Give the private address to listen on.")
    if address.is_global or address.is_multicast:
        raise BindRefused(f"server.host = {host!r} is a public address. The engine serves this machine and its private network only.")
    # 4.
    if keys.is_open:
        raise BindRefused(f"server.host = {host!r} can be reached by others, and no key is set. Make one: variet engine keys add NAME")
