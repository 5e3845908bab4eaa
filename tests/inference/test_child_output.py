"""What a child says is kept for its owner, as far as there is room for it."""

from __future__ import annotations

import os
import queue
from pathlib import Path

from inference.processes.child_output import ChildOutput

BOUND_S = 20


def test_a_log_is_kept_again_once_there_is_room_for_it(tmp_path: Path) -> None:
    log = tmp_path / "later" / "log"
    heard: queue.Queue[str] = queue.Queue()
    reader, writer = os.pipe()
    output = ChildOutput([os.fdopen(reader, "rb", buffering=0)], log, lambda line: bool(heard.put(line)))
    output.start()
    os.write(writer, b"lost\n")
    heard.get(timeout=BOUND_S)
    log.parent.mkdir()
    os.write(writer, b"kept\n")
    os.close(writer)
    output.join(BOUND_S)
    assert output.tail() == ("lost", "kept")
    assert log.read_text(encoding="utf-8") == "kept\n"
