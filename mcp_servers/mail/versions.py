"""What a prepared change of a mail is based on: which mail it was, where it lay, and where it was to go.

The host hands it back with the approved call; a mail that is no longer so is left as it is. Whether it is read or flagged is none of
it: that somebody has looked at a mail is no reason to ask again.
"""

from __future__ import annotations

import hashlib
import json

from mcp_servers.mailbox.store import Indexed


def version_of(mail: Indexed, target: str = "") -> str:
    """Args:
    mail: as it is now.
    target: the folder that it goes to; empty for none.
    """
    return f"{mail.account}/{mail.folder}{f'>{target}' if target else ''} {_face(mail)}"


def is_based_on(version: str, mail: Indexed, target: str = "") -> bool:
    """Whether this mail is the one that was shown, where it was; or already where it was to go."""
    place, _, face = version.rpartition(" ")
    is_done = bool(target) and mail.folder == target and place.endswith(f">{target}")
    return face == _face(mail) and (is_done or version == version_of(mail, target))


def _face(mail: Indexed) -> str:
    """What a person knows it by. A folder of files may hold another mail under the same name by now."""
    shown = json.dumps([mail.sender.name, mail.sender.address, mail.subject, mail.sent_at.timestamp()])
    return hashlib.sha256(shown.encode()).hexdigest()[:12]
