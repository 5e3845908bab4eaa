"""The key that an engine wants to see, read again when the engine refuses the one it was shown.

A service outlives many questions; a key that is added or changed meanwhile must not have to wait for its next start.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import anyio.to_thread
from pydantic import SecretStr

from agent.errors import ModelFailed, not_there
from config.credentials import ENGINE_KEY, CredentialError, why_declined, why_refused
from config.network.reach import why_unreached
from config.network.trust import why_untrusted

REFUSED = 401
"""What an engine with keys answers to none, and to one that it does not know."""
UNKNOWN_KEY = "invalid_key"
"""And how it calls that; the words beside it are for who writes programs."""

KeySource = SecretStr | Callable[[], SecretStr | None] | None
"""A key that stays, what reads it, or none."""


class Whose(NamedTuple):
    """Under which names a person sets how one machine is reached: what is told of it never leads to the settings of another."""

    section: str = "engine"
    """Of `agent.toml`."""
    secret: str = ENGINE_KEY

    def refused(self, url: str, *, was_shown: bool) -> str:
        """It did not let us in."""
        return why_refused(url, was_shown=was_shown, name=self.secret)

    def declined(self, who: str, said: str, *, was_shown: bool) -> str:
        """The same of a server that is no engine of ours."""
        return why_declined(who, said, was_shown=was_shown, name=self.secret)

    def unreached(self, url: str, error: Exception) -> str:
        """Nobody could be asked there."""
        setting = None if self == ENGINE else f"{self.section}.ca"
        return why_untrusted(url, error, setting) or why_unreached(url, error) or not_there(url, self.section)


ENGINE = Whose()
"""The agent's own engine."""


class EngineKey:
    """One engine's key.

    Args:
        source: the key, or what reads it; read once now, and again by `has_changed`.
        whose: the engine's settings.
        is_one_of_many: a key that must not be used is told by `check` and not at once, because others can answer.

    Raises:
        CredentialError: it must not be used.
    """

    def __init__(self, source: KeySource, whose: Whose = ENGINE, *, is_one_of_many: bool = False) -> None:
        self.whose = whose
        self._read = source if callable(source) else lambda: source
        self._key: SecretStr | None = None
        self._is_unusable = False
        try:
            self._key = self._read()
        except CredentialError:
            if not is_one_of_many:
                raise
            self._is_unusable = True

    @property
    def headers(self) -> dict[str, str]:
        """The header that shows it: the one place where it leaves its wrapping."""
        return {"Authorization": f"Bearer {self._key.get_secret_value()}"} if self._key else {}

    async def check(self) -> None:
        """Read it again where the first one must not be used.

        Raises:
            ModelFailed: this one must not be used either.
        """
        if self._is_unusable:
            await self.has_changed(self.headers)

    async def has_changed(self, shown: dict[str, str]) -> bool:
        """Read it again; whether it is another one than was shown, so that asking once more makes sense.

        Args:
            shown: the `headers` that were refused; another request may have read the new key since.

        Raises:
            ModelFailed: there is a key now that must not be used.
        """
        try:
            self._key = await anyio.to_thread.run_sync(self._read)
        except CredentialError as error:
            raise ModelFailed(str(error)) from error
        self._is_unusable = False
        return self.headers != shown
