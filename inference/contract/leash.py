"""How a program that starts an engine of its own is let in by it, although that engine's clients may need keys."""

from __future__ import annotations

PARENT_KEY = "VARIET_PARENT_KEY"
"""In the environment of an engine on a leash: a key `vk_<8 hexadecimal digits>_<more of them>` that is good for this one engine, and that
only its parent knows."""
