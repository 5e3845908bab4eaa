"""Where refresh tokens lie: the system's keyring, a file under a passphrase, or, where a person insists, a private file.

Nothing is ever kept in a weaker place than a person was told of. Each wait for a keyring, which may ask a person to unlock it, is bounded.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from pydantic import SecretStr

from config.credentials import CredentialError, forget_secret, read_secret, write_secret
from config.paths import Home
from mcp_servers.accounts.failing import LoginNeeded
from mcp_servers.accounts.model import Grant, Keeping
from mcp_servers.accounts.sealing import WrongPassphrase, seal, unseal

KEYRING_TIMEOUT_S = 30.0
"""A person has to find the window that asks for the keyring's password."""
PASSPHRASE_VARIABLE = "VARIET_TOKENS_PASSPHRASE"
INSTALL = 'Install it: `pip install "variet[google]"`.'
_SERVICE = "variet"
_LEAST_PRIORITY = 1.0
"""What the library itself calls recommended: below it are keyrings that forget everything, and files without a lock."""
T = TypeVar("T")


class Keeper(Protocol):
    """One place. Each method raises `LoginNeeded` where the place cannot be used."""

    @property
    def kind(self) -> Keeping: ...
    def keep(self, key: str, token: SecretStr) -> None: ...
    def token(self, key: str) -> SecretStr | None: ...
    def forget(self, key: str) -> None: ...


class _Backend(Protocol):
    """What is used of the library's keyrings, whose own types say less."""

    @property
    def priority(self) -> float: ...
    def get_password(self, service: str, username: str) -> str | None: ...
    def set_password(self, service: str, username: str, password: str) -> None: ...
    def delete_password(self, service: str, username: str) -> None: ...


def _backend() -> _Backend:
    # Loaded when a token is first needed: a server that has no account pays nothing for this.
    with _installed():
        import keyring

        backend: Any = keyring.get_keyring()
        return backend


class KeyringKeeper:
    """The keyring of the system that this runs on."""

    kind: Keeping = "keyring"

    def __init__(self, home: Home) -> None:
        # Two homes of one person are two installations, also where they name their accounts alike.
        self._service = f"{_SERVICE}:{home.config_dir}"

    def is_there(self) -> bool:
        """Whether the system has one that keeps what it is given, and shows it to nobody else."""
        try:
            return _in_time(lambda: float(_backend().priority) >= _LEAST_PRIORITY)
        except LoginNeeded:
            return False

    def keep(self, key: str, token: SecretStr) -> None:
        self._checked()

        def keep() -> None:
            _backend().set_password(self._service, key, token.get_secret_value())

        _in_time(keep)

    def token(self, key: str) -> SecretStr | None:
        self._checked()
        found: str | None = _in_time(lambda: _backend().get_password(self._service, key))
        return SecretStr(found) if found else None

    def forget(self, key: str) -> None:
        if self.token(key) is not None:
            _in_time(lambda: _backend().delete_password(self._service, key))

    def _checked(self) -> None:
        if not self.is_there():
            raise LoginNeeded("There is no keyring that this process can use. Unlock it, or log in again to keep the token elsewhere.")


class SealedKeeper:
    """Files of the home that are sealed under a passphrase, which is never kept.

    Args:
        home: whose files.
        passphrase: asked when it is needed.
    """

    kind: Keeping = "encrypted-file"

    def __init__(self, home: Home, passphrase: Callable[[], SecretStr | None]) -> None:
        self._home = home
        self._passphrase = passphrase

    def keep(self, key: str, token: SecretStr) -> None:
        passphrase = self._known()
        with _installed():
            sealed = seal(token, key, passphrase)
        _write(_name("sealed", key), SecretStr(sealed), self._home)

    def token(self, key: str) -> SecretStr | None:
        sealed = _read(_name("sealed", key), self._home)
        if sealed is None:
            return None
        passphrase = self._known()
        try:
            with _installed():
                return unseal(sealed.get_secret_value(), key, passphrase)
        except WrongPassphrase:
            raise LoginNeeded(
                f"The passphrase in {PASSPHRASE_VARIABLE} does not open the token's file. Set the right one, or log in again."
            ) from None

    def forget(self, key: str) -> None:
        forget_secret(_name("sealed", key), home=self._home)

    def _known(self) -> SecretStr:
        found = self._passphrase()
        if found is None:
            raise LoginNeeded(f"The token's file needs its passphrase: set {PASSPHRASE_VARIABLE}.")
        return found


class PlainKeeper:
    """Files of the home that only their owner can read, and whoever gets at the disk."""

    kind: Keeping = "plain-file"

    def __init__(self, home: Home) -> None:
        self._home = home

    def keep(self, key: str, token: SecretStr) -> None:
        _write(_name("token", key), token, self._home)

    def token(self, key: str) -> SecretStr | None:
        return _read(_name("token", key), self._home)

    def forget(self, key: str) -> None:
        forget_secret(_name("token", key), home=self._home)


class Keepers:
    """All the places of a home."""

    def __init__(self, home: Home, passphrase: Callable[[], SecretStr | None]) -> None:
        self.keyring = KeyringKeeper(home)
        self._all: Mapping[Keeping, Keeper] = {
            each.kind: each for each in (self.keyring, SealedKeeper(home, passphrase), PlainKeeper(home))
        }

    def of(self, kind: Keeping) -> Keeper:
        return self._all[kind]

    def token(self, grant: Grant) -> SecretStr | None:
        return self.of(grant.kept).token(grant.key)


def passphrase_in(environ: Mapping[str, str] = os.environ) -> SecretStr | None:
    """The passphrase as the environment has it. Never from a file: beside what it opens it would protect nothing."""
    value = environ.get(PASSPHRASE_VARIABLE)
    return SecretStr(value) if value else None


def _name(prefix: str, key: str) -> str:
    return f"{prefix}_{key.replace('-', '_')}"


def _write(name: str, value: SecretStr, home: Home) -> None:
    try:
        write_secret(name, value, home=home)
    except OSError as error:
        raise LoginNeeded(f"The token's file cannot be written: {error.strerror}. Make that right and log in again.") from None


def _read(name: str, home: Home) -> SecretStr | None:
    try:
        return read_secret(name, home=home, environ={})
    except CredentialError as error:
        raise LoginNeeded(str(error)) from error


def _in_time(question: Callable[[], T]) -> T:
    """The keyring's answer, in a thread of its own: it asks another program, which may ask a person."""
    answers: list[T] = []
    failures: list[str] = []

    def ask() -> None:
        try:
            answers.append(question())
        except LoginNeeded as error:
            failures.append(str(error))
        except Exception as error:  # noqa: BLE001 - each system's keyring has its own errors; their words may hold what was kept
            failures.append(f"The keyring cannot be used ({type(error).__name__}). Unlock it and try again.")

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(KEYRING_TIMEOUT_S)
    if failures:
        raise LoginNeeded(failures[0])
    if not answers:
        raise LoginNeeded(f"The keyring gave no answer for {KEYRING_TIMEOUT_S:.0f} s. Unlock it and try again.")
    return answers[0]


@contextmanager
def _installed() -> Iterator[None]:
    """The body loads a library of the extra `google`."""
    try:
        yield
    except ImportError as error:
        raise LoginNeeded(f'This needs "{error.name}", which is not installed. {INSTALL}') from error
