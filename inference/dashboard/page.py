"""The dashboard as it is sent: one file, and a policy under which a browser runs exactly its own script and style and nothing else."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PAGE = Path(__file__).with_name("page.html")
_INLINE = {"script-src": re.compile(r"<script>(.*?)</script>", re.DOTALL), "style-src": re.compile(r"<style>(.*?)</style>", re.DOTALL)}
_REST = (
    "default-src 'none'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)


@dataclass(frozen=True)
class Page:
    """The file and the headers that go with it."""

    body: bytes
    headers: dict[str, str]


@cache
def load_page() -> Page:
    """Read the page, once."""
    text = PAGE.read_text(encoding="utf-8")
    sources = [f"{kind} {' '.join(map(_hash, inline.findall(text)))}" for kind, inline in _INLINE.items()]
    headers = {
        "content-security-policy": "; ".join([*sources, _REST]),
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "cross-origin-opener-policy": "same-origin",
        "cache-control": "no-cache",
    }
    return Page(text.encode(), headers)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
