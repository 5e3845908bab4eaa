"""Look for faults in the control routes of running engines: `python .ci/control_routes.py SCHEMATHESIS [EXAMPLES]`.

Every answer must be one that the engine's own description (`/engine/openapi.json`) declares, and none a fault of the engine. Three
engines are asked: one without keys, one with a key, and one with a key that may only read. What is left out, and why:

- Event streams have no end; `tests/inference` asks those.
- A method that a route does not have is a 404 here, as any route that is not there.
- Whether a body is refused or taken is not asked where the description cannot say it: "exactly one of two" is no part of it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread

from config.paths import Home
from inference.door.keys import KEY_FILE, add_key
from tests.fakes.misbehaving_child import fake_binary
from tests.journeys.engine_process import RunningEngine, running_engine, settings_for

RUN_BOUND_S = 600
CONFIG = """
[dictionaries]
names = { values = ["one", "fast", "other"] }
[parameters]
"path.model" = { dictionary = "names", probability = 0.5 }
"path.name" = { dictionary = "names", probability = 0.5 }
"body.model" = { dictionary = "names", probability = 0.5 }
"query.follow" = 0
"""
LEFT_OUT = ("unsupported_method", "allow_header_conformance", "positive_data_acceptance", "missing_required_header")
SIGNS_OF_A_FAULT = ("Traceback", " ERROR ", " CRITICAL ")


async def ask(schemathesis: str, examples: int, kind: str) -> list[str]:
    """One engine, asked; what was wrong."""
    with tempfile.TemporaryDirectory(prefix="variet-routes-") as name:
        folder = Path(name)
        home = Home.at(folder / "home").prepare()
        headers: tuple[str, ...] = ()
        if kind != "without keys":
            key = add_key(home.config_dir / KEY_FILE, "asker", is_read_only=kind == "a key that reads")
            headers = ("-H", f"Authorization: Bearer {key}")
        (folder / "any.gguf").write_bytes(b"GGUF")
        binary = fake_binary(folder, "--chunks", "2")
        models: dict[str, tuple[Path, tuple[str, ...]]] = dict.fromkeys(("one", "other"), (folder / "any.gguf", ()))
        settings = settings_for(models, {"fast": "one"}, head=f'[runtimes.llama-server]\nbinary = "{binary}"\n')
        async with running_engine(home, settings, bound_s=RUN_BOUND_S) as engine:
            # The description says that a key is needed, which is true once there is one.
            left_out = ",".join((*LEFT_OUT, *(("ignored_auth", "negative_data_rejection") if not headers else ())))
            (folder / "schemathesis.toml").write_text(CONFIG, encoding="utf-8")
            command = [
                *(schemathesis, "run", f"{engine.url}/engine/openapi.json", *headers),
                *("--exclude-path", "/engine/events", "--exclude-checks", left_out, "--max-examples", str(examples)),
                *("--continue-on-failure", "--request-timeout", "30", "--suppress-health-check", "all", "--seed", "1"),
            ]
            ran = await anyio.to_thread.run_sync(partial(subprocess.run, command, cwd=folder, check=False))
            return [*([f"schemathesis ended with {ran.returncode}"] if ran.returncode else []), *signs_in(engine)]


def signs_in(engine: RunningEngine) -> list[str]:
    """What the engine's own log says went wrong."""
    lines = "".join(engine.errors).splitlines()
    ended = [] if engine.process.returncode is None else [f"the engine ended with {engine.process.returncode}"]
    return ended + [line for line in lines if any(sign in line for sign in SIGNS_OF_A_FAULT)]


def main() -> int:
    """Ask all three."""
    schemathesis, examples = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 50
    wrong = False
    for kind in ("without keys", "a key", "a key that reads"):
        print(f"== {kind}", flush=True)
        for fault in anyio.run(ask, schemathesis, examples, kind):
            wrong = True
            print(f"FAULT ({kind}): {fault}", flush=True)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
