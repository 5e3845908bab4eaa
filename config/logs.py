"""Logging for every process of ours: one line per record to a file or to standard error, with secrets blanked out in whatever is logged.

Blanking happens on the finished line, so arguments, exceptions and the messages of foreign libraries are covered too. It is the last
line of defence and no excuse for logging a secret.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable
from logging.handlers import RotatingFileHandler
from pathlib import Path

from pydantic import SecretStr

from config.paths import make_private

BLANK = "[secret]"
_MAX_BYTES = 5 * 1024 * 1024
"""Rotate at this size: enough for days of normal use, small enough to send to someone."""
_BACKUPS = 3
_SHORTEST_SECRET = 6
"""Shorter values are not blanked by value: they would hide ordinary words."""
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_QUIET = ("httpx2", "httpcore2", "mcp", "openai", "uvicorn.access")
"""Libraries that log every request: only their warnings are kept."""
_PATTERNS = (
    re.compile(r"(?i)(\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{6,}"),
    re.compile(
        r"""(?i)(["']?\b[\w-]*(?:[_-]key|apikey|token|secret|password|passwd|authorization)["']?\s*[=:]\s*["']?)(?!bearer|basic)[^\s"',;&}\[]{6,}"""
    ),
    re.compile(r"()\b(?:sk|vk|ghp|gho|xox[abp]|ya29|hf|GOCSPX)[-_.][A-Za-z0-9._-]{16,}"),
    re.compile(r"()\b(?:1//|4/0)[A-Za-z0-9_-]{20,}"),
    re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s/:@]*:)[^\s/@]+(?=@)"),
)


def redact(text: str, secrets: Iterable[SecretStr] = ()) -> str:
    """The text with bearer tokens, keys, passwords in addresses, and the given secrets blanked out."""
    for secret in secrets:
        value = secret.get_secret_value()
        if len(value) >= _SHORTEST_SECRET:
            text = text.replace(value, BLANK)
    for pattern in _PATTERNS:
        text = pattern.sub(rf"\g<1>{BLANK}", text)
    return text


class RedactingFormatter(logging.Formatter):
    """Formats as usual, then blanks out secrets."""

    def __init__(self, secrets: Iterable[SecretStr] = ()) -> None:
        super().__init__(_FORMAT)
        self._secrets = tuple(secrets)

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record), self._secrets)


def set_up_logging(name: str, *, folder: Path | None = None, level: int = logging.INFO, secrets: Iterable[SecretStr] = ()) -> None:
    """Send this process's log to `folder/name.log`, or to standard error without a folder. Standard output stays free for protocols.

    Args:
        name: of the process: `engine`, `service`, `mail`.
        folder: usually `home.log_dir`.
        level: the least severe that is kept.
        secrets: values to blank out wherever they appear, beside what looks like one.
    """
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    if folder is not None:
        file = make_private(folder) / f"{name}.log"
        handler = RotatingFileHandler(file, maxBytes=_MAX_BYTES, backupCount=_BACKUPS, encoding="utf-8")
        file.chmod(0o600)
    handler.setFormatter(RedactingFormatter(secrets))
    root.addHandler(handler)
    root.setLevel(level)
    for library in _QUIET:
        logging.getLogger(library).setLevel(logging.WARNING)
