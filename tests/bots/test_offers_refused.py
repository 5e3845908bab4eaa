"""What a message names and cannot be shown: refused where the person surely meant it, else sent as text."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from agent.errors import AgentError
from bots.repl.offers import Offers
from tests.agent.test_pictures import png

pytestmark = pytest.mark.anyio
PNG = png(4, 3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "sub").mkdir(parents=True)
    return root


async def test_a_package_of_a_project_of_npms_is_no_mistyped_path(folder: Path):
    lines: list[str] = []
    (folder / "types").mkdir()
    with pytest.raises(AgentError, match="There is no file types/node"):
        await Offers([folder]).attached("why does @types/node fail?")
    (folder / "package.json").touch()
    assert await Offers([folder]).attached("why does @types/node fail with @types/react@20.1 ?", lines.append) == []
    assert lines == ["No file here, sent as it stands: @types/node, @types/react@20.1"]
    for name in ("types/none.ts", "types/", "types/a/b", "./types/none", "/types/none", "sub/None"):
        with pytest.raises(AgentError, match="no file"):
            await Offers([folder]).attached(f"see @{name}")
    (folder / "package.json").unlink()
    (folder / "node_modules" / "@types").mkdir(parents=True)
    with pytest.raises(AgentError, match="There is no file sub/none"):
        await Offers([folder]).attached("see @types/node and @sub/none")


async def test_a_picture_from_elsewhere_that_was_dropped_on_the_chat_is_refused_instead_of_left_out(folder: Path, tmp_path: Path):
    lines: list[str] = []
    picture = tmp_path / "shot 1.png"
    picture.write_bytes(PNG)
    (tmp_path / "shot.png").write_bytes(PNG)
    escaped = str(picture).replace(" ", "\\ ")
    dropped = (
        f"what is this? '{picture}'",
        f'"{picture}" what is this?',
        f"see file://{quote(str(picture))}",
        f"see {escaped}",
        f" {tmp_path}/shot.png ",
    )
    for text in dropped:
        with pytest.raises(AgentError, match=rf"^shot( 1)?\.png lies outside {folder}; nothing else can be shown\.$"):
            await Offers([folder]).attached(text, lines.append)
    assert await Offers([folder]).attached(f"what is wrong?\nE: cannot read '{picture}'", lines.append) == []
    assert lines == [f"Not shown: shot 1.png, which lies outside {folder}."]
