"""What one client may do: the limits of its key, as values that travel with its requests.

Pure: who holds which key is `inference.door.keys`' business, and when a limit is looked at is the gate's and the routes'.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inference.errors import ReadOnlyKey, TierNotAllowed

SCOPE_KEY = "variet.key"
"""Where a request's scope holds its `KeyInfo`."""
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class KeyInfo:
    """One client's key without its secret."""

    name: str
    """Whose requests these are, for the activity log and the metrics."""
    id: str = ""
    """The key's public part; empty where no key was needed."""
    priority: int = 0
    """Orders requests that wait: a higher one goes first, within the age bound."""
    tiers: tuple[str, ...] | None = None
    """The names that it may ask for; None for all."""
    is_read_only: bool = False
    """Whether it may only look."""

    @property
    def client(self) -> str | None:
        """Who asks; None where no key was needed, so that nobody is known by name."""
        return self.name if self.id else None

    @property
    def sees_only(self) -> str | None:
        """Whose requests it may see: a key with limits its own alone, any other everybody's (None)."""
        return self.name if self.tiers is not None or self.is_read_only else None

    def check_method(self, method: str) -> None:
        """Let a request through by its method.

        Raises:
            ReadOnlyKey: the key may only look, and this is more.
        """
        if self.is_read_only and method not in _READING:
            raise ReadOnlyKey(f"The key of {self.name} may only read; {method} is not allowed.", is_permanent=True)

    def check_use(self) -> None:
        """Let a request through that a model answers, by whatever method: reading a model's properties loads it.

        Raises:
            ReadOnlyKey: the key may only look at the engine.
        """
        if self.is_read_only:
            raise ReadOnlyKey(f"The key of {self.name} may only look at the engine; it may not ask a model.", is_permanent=True)

    def check_name(self, name: str) -> None:
        """Let a request through by the tier or model that it names.

        A tier's name does not open the model behind it under its own name, nor another name of the same model.

        Raises:
            TierNotAllowed: the key is limited to other names; the text says which.
        """
        if self.tiers is not None and name not in self.tiers:
            allowed = ", ".join(self.tiers) or "nothing"
            raise TierNotAllowed(f"The key of {self.name} may not use {name!r}. It may use: {allowed}.", is_permanent=True)

    def check_force(self) -> None:
        """Let a request through that ends what other clients have running.

        Raises:
            TierNotAllowed: the key is limited; its holder waits in line.
        """
        if self.tiers is not None:
            raise TierNotAllowed(
                f"The key of {self.name} is limited and may not force a switch, which ends other clients' requests.", is_permanent=True
            )

    def check_everything(self) -> None:
        """Let a request through that concerns all models at once.

        Raises:
            TierNotAllowed: the key is limited to some.
        """
        if self.tiers is not None:
            allowed = ", ".join(self.tiers) or "nothing"
            raise TierNotAllowed(f"The key of {self.name} is limited to: {allowed}. Name one of them.", is_permanent=True)


@dataclass(frozen=True)
class Asker:
    """Who asks for a model, as far as the queue goes by it."""

    client: str | None = None
    """Its key's name; None where no key was needed."""
    priority: int = 0
    passes_mode: bool = False
    """A person asked with the words that pass gaming mode."""


NOBODY = Asker()
"""The null object: nobody in particular."""
ANYBODY = KeyInfo("local")
"""The null object: an engine without keys, which only this machine can reach."""


def key_of(scope: Mapping[str, Any]) -> KeyInfo:
    """Whose request this is."""
    info: KeyInfo = scope.get(SCOPE_KEY, ANYBODY)
    return info
