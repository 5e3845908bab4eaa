"""What the wheel must and must not carry: the packages, the commented defaults, the schemas and the small model; nothing else of ours."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

PACKAGES = {"agent", "bots", "config", "inference", "mcp_servers"}
NEEDED = {
    "config/defaults/engine.toml",
    "config/defaults/agent.toml",
    "config/schemas/engine.schema.json",
    "config/schemas/agent.schema.json",
    "inference/dashboard/page.html",
    "inference/embedded/nano.gguf",
}
MODEL = "inference/embedded/nano.gguf"
MODEL_MAX_BYTES = 16 * 1024 * 1024


def faults(wheel: Path) -> list[str]:
    """Everything that is wrong with it, as sentences."""
    with zipfile.ZipFile(wheel) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
    found = [f"{name} is missing." for name in sorted(NEEDED - sizes.keys())]
    found += [f"{name} does not belong there." for name in sorted({name.split("/")[0] for name in sizes}) if not _belongs(name)]
    if sizes.get(MODEL, 0) > MODEL_MAX_BYTES:
        found.append(f"{MODEL} has {sizes[MODEL]} bytes; at most {MODEL_MAX_BYTES} are allowed.")
    return found


def _belongs(name: str) -> bool:
    return name in PACKAGES or name.endswith(".dist-info")


if __name__ == "__main__":
    problems = faults(Path(sys.argv[1]))
    sys.stdout.writelines(f"{problem}\n" for problem in problems)
    sys.exit(bool(problems))
