"""The real binding, over a driver library that is compiled for the test: what it hands us has the form that we rely on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMPILER = shutil.which("cc")
PROGRAM = """
from inference.cards.nvml import open_cards
look = open_cards()
look()
print(look())
"""

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the stub stands in for Linux's library"),
    pytest.mark.skipif(COMPILER is None, reason="there is no C compiler on this machine"),
]


@pytest.mark.parametrize(("flags", "used"), [((), "{77: 3072}"), (("-DOLD",), "{}")], ids=["new", "old"])
def test_a_driver_is_found_and_told_as_it_says(tmp_path: Path, flags: tuple[str, ...], used: str) -> None:
    library = tmp_path / "libnvidia-ml.so.1"
    assert COMPILER is not None
    command = [COMPILER, "-shared", "-fPIC", *flags, "-o", str(library), str(ROOT / "tests" / "fakes" / "nvml.c")]
    subprocess.run(command, check=True, timeout=60)
    environ = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM], cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    assert ran.stderr == ""
    assert ran.stdout == f"(Card(index=0, name='Stub', uuid='GPU-stub', total_mib=12288, free_mib=9216, used_mib={used}),)\n"
