"""How the headers of a mail that leaves are written: as the library does it, and the ids of mails as they are.

Pure. The library takes an id that is longer than a line for words, and writes it as encoded ones (`=?utf-8?q?=3C...`). Servers of large
houses give such ids, and no program finds the conversation of an answer that names one so.
"""

from __future__ import annotations

from email.policy import EmailPolicy
from typing import Any

_IDS = frozenset({"message-id", "in-reply-to", "references"})


class _Writing(EmailPolicy):
    def fold(self, name: str, value: Any) -> str:
        return self._ids(name, value) or super().fold(name, value)

    def fold_binary(self, name: str, value: Any) -> bytes:
        return self._ids(name, value).encode("ascii") or super().fold_binary(name, value)

    def _ids(self, name: str, value: Any) -> str:
        """A line for each id; empty for any other header, and for one that holds what is no id."""
        ids = str(value).split() if name.lower() in _IDS else []
        return f"{name}: {f'{self.linesep} '.join(ids)}{self.linesep}" if ids and all(one.isascii() for one in ids) else ""


WRITING = _Writing(linesep="\r\n")
