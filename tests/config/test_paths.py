"""A home in a folder of another user is refused with what helps, which does help."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from agent.service.faults import ServiceError
from agent.service.home_use import prepared
from config.paths import Home


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that can be written, of somebody else: only its owner may change its modes."""
    folder = tmp_path / "vol"
    folder.mkdir()
    folder.chmod(0o775)
    real_chmod, real_stat = Path.chmod, Path.stat

    def chmod(path: Path, mode: int) -> None:
        if path == folder:
            raise PermissionError(errno.EPERM, "Operation not permitted", str(path))
        real_chmod(path, mode)

    def stat(path: Path, **given: bool) -> os.stat_result:
        found = real_stat(path, **given)
        return os.stat_result((*found[:4], found.st_uid + 1, *found[5:])) if path == folder else found

    monkeypatch.setattr(Path, "chmod", chmod)
    monkeypatch.setattr(Path, "stat", stat)
    return folder


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system's folders have no owner that we could ask for")
def test_a_folder_of_another_user_is_named_with_what_helps(shared: Path) -> None:
    with pytest.raises(ServiceError) as refused:
        prepared(Home.at(shared))
    assert str(refused.value) == (
        f"{shared} cannot be Variet's own folder: it belongs to another user, who could read what is kept in it. "
        f"Set VARIET_HOME to a folder inside it, such as {shared / 'variet'}."
    )
    home = prepared(Home.at(shared / "variet"))
    assert home.state_dir.is_dir()


def test_a_folder_that_can_not_be_written_either_is_told_as_the_system_says_it(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def access(*_: object) -> bool:
        return False

    monkeypatch.setattr(os, "access", access)
    with pytest.raises(ServiceError, match=r"own folder cannot be used: .*vol: Operation not permitted\. Make it writable"):
        prepared(Home.at(shared))
