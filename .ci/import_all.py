"""Import every module of the installed packages, from the environment given and from nowhere else."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

PACKAGES = ("agent", "bots", "config", "inference", "mcp_servers")


def import_all(environment: Path) -> int:
    """The number of modules imported. `__main__` modules are programs, not modules to import."""
    count = 0
    for package in PACKAGES:
        module = importlib.import_module(package)
        if not Path(str(module.__file__)).is_relative_to(environment):
            raise SystemExit(f"{package} came from {module.__file__}, not from the wheel.")
        for found in pkgutil.walk_packages(module.__path__, f"{package}."):
            if not found.name.endswith("__main__"):
                importlib.import_module(found.name)
                count += 1
    return count


if __name__ == "__main__":
    sys.stdout.write(f"{import_all(Path(sys.argv[1]))} modules imported\n")
