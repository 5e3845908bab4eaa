"""Where things live: one `Home` per installation, all of it private to its owner.

`VARIET_HOME` puts everything under one folder (tests, the demo, a second installation); without it the platform's folders are used.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import platformdirs

PRIVATE_DIR_MODE = 0o700
"""Settings, sessions, mail and tokens are nobody else's business."""
HOME_VARIABLE = "VARIET_HOME"
PLACES = ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME")
"""By what a person moves the platform's folders elsewhere."""


class AnothersFolder(PermissionError):
    """A folder of another user, which we may write and cannot make private. Its text says what helps."""


@dataclass(frozen=True)
class Home:
    """The folders of one installation. They need not exist until `prepare` was called."""

    config_dir: Path
    """`engine.toml`, `agent.toml` and `secrets/`."""
    state_dir: Path
    """Sessions, measured load times, histories: what is lost when it is deleted."""
    run_dir: Path
    """What describes running processes: `service.json`, leases."""
    log_dir: Path
    data_dir: Path
    """The local calendar and mail."""
    root: Path | None = None
    """The one folder around them, where there is one."""
    moved: Mapping[str, str] = field(default_factory=dict[str, str], compare=False)
    """The variables that moved the platform's folders, where there is none: who starts with few variables would look elsewhere."""

    @classmethod
    def at(cls, root: Path) -> Self:
        """The home in one folder.

        Raises:
            NotADirectoryError: it begins with the `~name` of nobody who has a home here.
        """
        try:
            root = root.expanduser().absolute()
        except RuntimeError:
            raise NotADirectoryError(errno.ENOTDIR, "nobody of that name has a home here. Give the whole path", str(root)) from None
        return cls(root / "config", root / "state", root / "run", root / "logs", root / "data", root)

    @classmethod
    def find(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """The home that `VARIET_HOME` names, else the one in the platform's folders."""
        root = environ.get(HOME_VARIABLE)
        if root:
            return cls.at(Path(root))
        dirs = platformdirs.PlatformDirs("variet", appauthor=False)
        # The platform's own run folder may be missing or vanish at log-out while the service goes on.
        folders = (dirs.user_config_path, dirs.user_state_path, dirs.user_state_path / "run", dirs.user_log_path, dirs.user_data_path)
        return cls(*folders, moved={name: environ[name] for name in PLACES if environ.get(name)})

    def prepare(self) -> Self:
        """Make the folders, readable by their owner only."""
        for folder in filter(None, (self.root, self.config_dir, self.state_dir, self.run_dir, self.log_dir, self.data_dir)):
            make_private(folder)
        return self

    def environment(self) -> dict[str, str]:
        """What a child process needs in its environment to find this home."""
        return {HOME_VARIABLE: str(self.root)} if self.root else dict(self.moved)

    @property
    def engine_toml(self) -> Path:
        return self.config_dir / "engine.toml"

    @property
    def agent_toml(self) -> Path:
        return self.config_dir / "agent.toml"


def make_private(folder: Path) -> Path:
    """Make a folder that only its owner can enter, also when it existed with other modes.

    Raises:
        AnothersFolder: its modes are another user's to change.
        OSError: it cannot be made, or not made private.
    """
    folder.mkdir(mode=PRIVATE_DIR_MODE, parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o777 != PRIVATE_DIR_MODE:
        try:
            folder.chmod(PRIVATE_DIR_MODE)
        except PermissionError as error:
            if not _is_anothers(folder):
                raise
            why = f"it belongs to another user, who could read what is kept in it. Set {HOME_VARIABLE} to a folder inside it, such as"
            raise AnothersFolder(errno.EPERM, f"{why} {folder / 'variet'}", str(folder)) from error
    return folder


def _is_anothers(folder: Path) -> bool:
    """Whether it is a volume or a share of somebody else that we may write: a folder of our own can be made in it."""
    return hasattr(os, "geteuid") and folder.stat().st_uid != os.geteuid() and os.access(folder, os.W_OK | os.X_OK)
