"""The two commands of the README, in a folder as people have them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RUN_BOUND_S = 60


def test_a_blank_in_the_folders_name_does_no_harm(tmp_path: Path) -> None:
    here = tmp_path / "my projects" / "variet"
    (here / ".venv").mkdir(parents=True)
    (here / ".venv" / ".made").touch()
    (here / "pyproject.toml").touch()
    (here / "requirements.lock").touch()
    shutil.copy(ROOT / "Makefile", here)
    uv = tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    uv.write_text('#!/bin/sh\necho "$VIRTUAL_ENV: $*" >>uv.log\n', encoding="utf-8")
    uv.chmod(0o700)
    environment = {**os.environ, "PATH": f"{uv.parent}{os.pathsep}{os.environ['PATH']}"}
    ran = subprocess.run(["make", "setup"], cwd=here, env=environment, capture_output=True, text=True, timeout=RUN_BOUND_S, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    synced, installed = (here / "uv.log").read_text(encoding="utf-8").splitlines()
    assert synced.startswith(f"{here / '.venv'}: pip sync ") and " pip install " in f" {installed}"


PYTHON = f"""#!/bin/sh
case "$*" in
  --version) echo "Python 3.11.99";;
  *"import ensurepip"*) [ ! -e "$0.bare" ];;
  "-m venv --clear .venv") rm -rf .venv && mkdir -p .venv/bin && cp "$0" .venv/bin/python && echo made >>made.log;;
  *) exec "{sys.executable}" "$@";;
esac
"""
"""Makes environments at once, and is a Python otherwise."""


class Checkout:
    """A folder with the Makefile, and programs beside it that stand in for uv and Python."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.here = folder / "variet"
        for made in (self.bin, self.here):
            made.mkdir()
        (self.here / "pyproject.toml").touch()
        (self.here / "requirements.lock").touch()
        shutil.copy(ROOT / "Makefile", self.here)
        self.put("uv", "#!/bin/sh\n")
        self.put("python3.11", PYTHON)

    def put(self, name: str, text: str) -> None:
        (self.bin / name).write_text(text, encoding="utf-8")
        (self.bin / name).chmod(0o700)

    def setup(self) -> subprocess.CompletedProcess[str]:
        return self.make("setup")

    def make(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}", "PYTHON": str(self.bin / "python3.11")}
        return subprocess.run(
            ["make", *arguments], cwd=self.here, env=environment, capture_output=True, text=True, timeout=RUN_BOUND_S, check=False
        )

    @property
    def times_made(self) -> int:
        return len((self.here / "made.log").read_text(encoding="utf-8").split())


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_an_environment_is_made_anew_where_its_folder_or_its_python_has_become_another(checkout: Checkout) -> None:
    for _ in range(2):
        assert (checkout.setup().returncode, checkout.times_made) == (0, 1)
    checkout.here = checkout.here.rename(checkout.here.with_name("my assistant, (2)"))
    for _ in range(2):
        assert (checkout.setup().returncode, checkout.times_made) == (0, 2)
    # As after the system's upgrade.
    (checkout.here / ".venv" / "bin" / "python").write_text("#!/bin/sh\necho 3 99\n", encoding="utf-8")
    assert (checkout.setup().returncode, checkout.times_made) == (0, 3)
    (checkout.here / ".venv" / "bin" / "python").unlink()
    assert (checkout.setup().returncode, checkout.times_made) == (0, 4)


def test_nothing_is_thrown_away_where_a_makefile_is_only_read(checkout: Checkout) -> None:
    assert checkout.setup().returncode == 0
    checkout.here = checkout.here.rename(checkout.here.with_name("renamed"))
    stamp = checkout.here / ".venv" / ".made"
    before = stamp.read_bytes()
    for arguments in (("help",), ("-n", "setup"), ("clean", "CODE=.")):
        assert checkout.make(*arguments).returncode == 0
        assert stamp.read_bytes() == before
    assert (checkout.setup().returncode, checkout.times_made) == (0, 2)


def test_an_environment_that_is_shared_by_a_link_stays_and_is_never_cleared_through_it(checkout: Checkout) -> None:
    assert checkout.setup().returncode == 0
    first, other = checkout.here, checkout.here.with_name("worktree")
    shutil.copytree(first, other, ignore=shutil.ignore_patterns(".venv", "made.log"))
    (other / ".venv").symlink_to(first / ".venv")
    for checkout.here in (other, first, other):
        assert (checkout.setup().returncode, (other / "made.log").exists()) == (0, False)
    (first / ".venv" / "bin" / "python").write_text("#!/bin/sh\necho 3 99\n", encoding="utf-8")
    (first / ".venv" / "service.py").touch()
    ran = checkout.setup()
    assert ran.returncode != 0
    assert f".venv is a link to {first / '.venv'}; what is there was made elsewhere or for another Python" in ran.stderr
    assert (first / ".venv" / "service.py").exists()
    checkout.here = first
    assert (checkout.setup().returncode, checkout.times_made) == (0, 2)
    checkout.here = other
    assert (checkout.setup().returncode, (other / "made.log").exists()) == (0, False)


def test_a_python_without_its_venv_module_is_told_the_package_of_its_own_version(checkout: Checkout) -> None:
    (checkout.bin / "python3.11.bare").touch()
    ran = checkout.setup()
    version = ".".join(map(str, sys.version_info[:2]))
    assert ran.returncode != 0
    assert f"apt-get install python{version}-venv\n" in ran.stderr
