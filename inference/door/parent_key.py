"""The key of the program that holds this engine's leash: made by it for this one engine, and written down nowhere.

Where clients need keys, also those on the same machine, it would otherwise stand before the door of its own engine.
"""

from __future__ import annotations

import hashlib
from collections.abc import MutableMapping

from pydantic import ValidationError

from inference.contract.leash import PARENT_KEY
from inference.door.keys import StoredKey
from inference.errors import KeyFileRefused

_NAME = "parent"


def take_parent_key(environ: MutableMapping[str, str]) -> StoredKey | None:
    """The parent's key, which the programs that are started from here do not get to see; None where it has none.

    Raises:
        KeyFileRefused: it is no key.
    """
    key = environ.pop(PARENT_KEY, None)
    if key is None:
        return None
    try:
        return StoredKey(name=_NAME, id=key.split("_")[1], sha256=hashlib.sha256(key.encode()).hexdigest())
    except (ValidationError, IndexError):
        # Without the cause, which would quote it.
        raise KeyFileRefused(f"{PARENT_KEY} holds no key. Leave it out, or give `vk_<8 hexadecimal digits>_<more of them>`.") from None
