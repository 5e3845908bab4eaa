"""A ripgrep that lies: it answers with whatever lines its environment's file holds, in ripgrep's own form."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path


def lying_ripgrep(folder: Path, hits: Sequence[tuple[str, int]], *, goes_on_s: float = 0.0) -> str:
    """A program that finds these lines, wherever it is told to look, and then goes on for so many seconds."""
    events: list[dict[str, object]] = [
        {"type": "match", "data": {"path": {"text": path}, "lines": {"text": "x\n"}, "line_number": number}} for path, number in hits
    ]
    answers = folder / "answers.jsonl"
    answers.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    program = folder / "rg"
    code = f"import time\nprint(open({str(answers)!r}, encoding='utf-8').read(), flush=True)\ntime.sleep({goes_on_s})\n"
    program.write_text(f"#!{sys.executable} -IS\n{code}", encoding="utf-8")
    program.chmod(0o700)
    return str(program)
