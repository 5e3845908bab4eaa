"""Pictures as other programs give them: base64 in a block of a protocol, or an address that holds the bytes itself. Pure.

What is made of them goes the one way in that the chat's go: looked at by the service, and refused there with the reason.
"""

from __future__ import annotations

import binascii
from base64 import b64decode

from agent.errors import PictureRefused
from agent.event_parts import PictureFile

NAME_CHARS = 100
_HEAD, _MARK = "data:", ";base64,"


def picture_given(data: object, name: str) -> PictureFile:
    """A picture out of base64.

    Args:
        data: as the program wrote it.
        name: as the model and the log know it.

    Raises:
        PictureRefused: it is no base64.
    """
    name = " ".join(name.split())[:NAME_CHARS] or "picture"
    try:
        if not isinstance(data, str) or not data:
            raise ValueError
        return PictureFile(name=name, content=b64decode("".join(data.split()), validate=True))
    except (ValueError, binascii.Error) as error:
        raise PictureRefused(f"{name} holds no picture: its data is no base64.") from error


def picture_in_address(address: object, name: str) -> PictureFile:
    """A picture out of an address such as `data:image/png;base64,…`.

    Raises:
        PictureRefused: the address leads elsewhere; nothing is fetched for a program.
    """
    text = address if isinstance(address, str) else ""
    head, mark, data = text.partition(_MARK)
    if not mark or not head.lower().startswith(_HEAD):
        raise PictureRefused(f"{name} is not in the request: pictures are taken as data:image/png;base64,… and fetched from nowhere.")
    return picture_given(data, name)


def name_in(address: object, otherwise: str) -> str:
    """The last part of an address, as a name; `otherwise` where it has none."""
    path = address.split("?", 1)[0].split("#", 1)[0] if isinstance(address, str) else ""
    return path.rpartition("://")[2].rpartition("/")[2] or otherwise
