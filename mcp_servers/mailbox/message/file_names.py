"""What a file may be called on any system: a stranger's words, made a name that names nothing but a file.

Pure. On Windows `CON.eml` is the screen and `COM1` a plug, whatever stands behind the dot, and dots and spaces at an end are left out.
"""

from __future__ import annotations

import re

_MAX_BYTES = 200
"""Most systems keep 255; programs that save a second one put ` (1)` behind it."""
_MAX_ENDING_CHARS = 12
_STRANGE = re.compile(r'[\\/:*?"<>|\x00-\x1f\x7f]+')
_DEVICE = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|clock\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])[ ]*(?:\.|\Z)", re.IGNORECASE)


def file_name(said: str, *, otherwise: str) -> str:
    """The name of a file: no path, no device, nothing that a system leaves out, and short enough for all of them.

    Args:
        said: how somebody called it; characters that hide are taken out already.
        otherwise: a name for one that has none.
    """
    name = re.sub(r" {2,}", " ", _STRANGE.sub(" ", said)).strip().rstrip(". ")
    name = name if name.strip(". ") else otherwise
    if len(name.encode("utf-8", "replace")) > _MAX_BYTES:
        tail = _ending(name)
        room = _MAX_BYTES - len(tail.encode("utf-8", "replace"))
        name = name.encode("utf-8", "replace")[:room].decode("utf-8", "ignore").rstrip(". ") + tail
    return f"_{name}" if _DEVICE.match(name) else name


def fitting(name: str, most: int) -> str:
    """As many characters of a name, its ending among them: by that one it is known what the file is."""
    tail = _ending(name)
    return name if len(name) <= most else name[: most - len(tail)] + tail


def _ending(name: str) -> str:
    """`.pdf`; empty where there is none."""
    stem, dot, ending = name.rpartition(".")
    return f"{dot}{ending}" if stem and len(ending) <= _MAX_ENDING_CHARS else ""
