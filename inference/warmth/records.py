"""What is known of saved conversations: one record per file, which of them to restore and to drop, and when a model is not worth trying.

Pure; `inference.warmth.shelf` keeps the files. Conversations appear by a hash of their name only.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from inference.warmth.trail import Counted, Mark

FULL_SHARE = 0.99
"""Of the restored prompt: less than this is no full restore."""
ALWAYS_READ = 1
"""The last token of a prompt, without which there is nothing to go on from. It counts in short prompts only."""
USEFUL_SHARE = 0.5
"""Below it the cache was not used. In between a chat template has rewritten earlier turns, which costs a part and proves that it works."""

Verdict = Literal["verified", "partly", "unsupported"]


class Saved(BaseModel):
    """One file."""

    model_config = ConfigDict(frozen=True)

    file: str
    model: str
    identity: str
    """Of the model's file, its flags and the program: a slot's content fits nothing else."""
    session: str
    tokens: int
    """As the server counted them when it saved them."""
    size: int
    """Bytes."""
    saved_at: float
    """Seconds since the epoch, as `stamp` says: it is what tells the latest from the oldest."""
    mark: Mark | None = None


class Ledger(BaseModel):
    """All that is kept across restarts."""

    model_config = ConfigDict(frozen=True)

    saved: tuple[Saved, ...] = ()
    unsupported: dict[str, str] = {}
    """Identity to reason: not tried again."""


def session_key(name: str, client: str | None) -> str:
    """The name of a conversation as it is kept: two clients may use the same name, and nobody needs to read it here."""
    return hashlib.sha256(f"{client or ''}\0{name}".encode(errors="surrogatepass")).hexdigest()


def file_name(identity: str, session: str) -> str:
    """A file's name; a bare one, as llama-server demands."""
    return hashlib.sha256(f"{identity}\0{session}".encode()).hexdigest()[:40] + ".slot"


def identity_of(facts: Sequence[object]) -> str:
    """One text for everything that a slot's content depends on."""
    return hashlib.sha256(json.dumps(facts, default=str).encode()).hexdigest()


def stamp(ledger: Ledger, now: float) -> float:
    """When a file counts as saved: now, but after all that are there, or the newest would be the oldest where the clock was set back."""
    return max([now, *(math.nextafter(each.saved_at, math.inf) for each in ledger.saved)])


def added(ledger: Ledger, record: Saved) -> Ledger:
    """With one more file, in place of an older one of that name."""
    return ledger.model_copy(update={"saved": (*(each for each in ledger.saved if each.file != record.file), record)})


def removed(ledger: Ledger, files: Iterable[str]) -> Ledger:
    """Without these files."""
    gone = set(files)
    return ledger.model_copy(update={"saved": tuple(each for each in ledger.saved if each.file not in gone)})


def given_up(ledger: Ledger, identity: str, reason: str) -> Ledger:
    """With one more model that is not tried again."""
    return ledger.model_copy(update={"unsupported": {**ledger.unsupported, identity: reason}})


def of_model(ledger: Ledger, identity: str) -> tuple[Saved, ...]:
    """A model's files, the latest first."""
    return tuple(sorted((each for each in ledger.saved if each.identity == identity), key=lambda each: -each.saved_at))


def of_session(ledger: Ledger, session: str) -> tuple[str, ...]:
    """The files of one conversation, over all models."""
    return tuple(each.file for each in ledger.saved if each.session == session)


def over_cap(ledger: Ledger, max_bytes: int) -> tuple[str, ...]:
    """The oldest files, as many as must go for the rest to fit."""
    room = max_bytes
    dropped: list[str] = []
    for each in sorted(ledger.saved, key=lambda each: -each.saved_at):
        room -= each.size
        if room < 0:
            dropped.append(each.file)
    return tuple(dropped)


def judge(expected: int, answered: Counted) -> Verdict:
    """Whether a restored slot spared its prompt.

    1. At least 99 % of what was restored was not read again: it works.
    2. At least half: it works, and the template changed what came before.
    3. Less: this model's cache cannot be restored.
    """
    spared = answered.cached + ALWAYS_READ
    if spared >= FULL_SHARE * expected:  # 1.
        return "verified"
    return "partly" if spared >= USEFUL_SHARE * expected else "unsupported"  # 2. 3.


def read_ledger(text: str | bytes) -> Ledger:
    """Parse what was kept; whatever makes no sense is an empty ledger."""
    try:
        found: Any = json.loads(text)
        return Ledger.model_validate(found)
    except ValueError:
        return Ledger()
