"""The folder of saved conversations: private files, a ledger that says what they are, and a cap on both.

Methods block and are called in a thread, one at a time. A folder that cannot be used is an `OSError`, which costs warmth and nothing else.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from config.disk.whole_file import PART, PRIVATE_FILE_MODE, write_whole
from config.paths import make_private
from inference.warmth import records
from inference.warmth.records import Ledger, Saved

LEDGER = "ledger.json"
SPARE_BYTES = 256 * 2**20
"""Left free on the disk: saved conversations must not be what fills it."""


class DiskFull(OSError):
    """Too little room for another file."""


class Shelf:
    """One engine's folder."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = folder
        self._max_bytes = max_bytes
        self.ledger = Ledger()

    def open(self) -> None:
        """Make the folder, read the ledger, and remove what it does not know: half-written files of a run that was killed."""
        make_private(self.folder)
        with contextlib.suppress(FileNotFoundError):
            self.ledger = records.read_ledger((self.folder / LEDGER).read_bytes())
        files = {path.name: path for path in self.folder.iterdir()}
        self.ledger = records.removed(self.ledger, (each.file for each in self.ledger.saved if each.file not in files))
        known = {LEDGER, *(each.file for each in self.ledger.saved)}
        for name, path in files.items():
            if name not in known and name.endswith((PART, ".slot")):
                path.unlink()
        self._drop_over_cap()

    def check_room(self, identity: str) -> None:
        """See that one more file fits on the disk, judging by this model's largest.

        Raises:
            DiskFull: it would not.
        """
        likely = max((each.size for each in records.of_model(self.ledger, identity)), default=0)
        free = shutil.disk_usage(self.folder).free
        if free < likely + SPARE_BYTES:
            raise DiskFull(f"the disk of {self.folder} is nearly full ({free // 2**20} MiB left)")

    def part(self, file: str) -> str:
        """The name to write `file` under until it is whole. It exists, private, before the server writes into it."""
        name = file + PART
        os.close(os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE_MODE))
        return name

    def keep(self, part: str, record: Saved) -> Saved | None:
        """Take a file that is whole; None when it is not, or is larger than all that may be kept: then no other loses its place."""
        path = self.folder / part
        size = path.stat().st_size
        if not size or size < record.size or size > self._max_bytes:
            path.unlink()
            return None
        os.chmod(path, PRIVATE_FILE_MODE)
        os.replace(path, self.folder / record.file)
        record = record.model_copy(update={"size": size, "saved_at": records.stamp(self.ledger, time.time())})
        self.ledger = records.added(self.ledger, record)
        self._drop_over_cap()
        return record

    def drop(self, part: str) -> None:
        """Remove what was begun and did not become a file; nothing where it did."""
        # A server that still writes it may hold it (Windows): the next start removes it.
        with contextlib.suppress(OSError):
            (self.folder / part).unlink()

    def discard(self, files: Iterable[str]) -> int:
        """Delete files; how many there were."""
        gone = tuple(files)
        before = len(self.ledger.saved)
        for file in gone:
            (self.folder / file).unlink(missing_ok=True)
        self.ledger = records.removed(self.ledger, gone)
        self._write()
        return before - len(self.ledger.saved)

    def give_up(self, identity: str, reason: str) -> None:
        """Delete what there is of a model's conversations, and remember that they cannot be kept."""
        # In this order: whoever reads in the status that nothing is kept finds nothing.
        self.discard(each.file for each in records.of_model(self.ledger, identity))
        self.ledger = records.given_up(self.ledger, identity, reason)
        self._write()

    def _drop_over_cap(self) -> None:
        self.discard(records.over_cap(self.ledger, self._max_bytes))

    def _write(self) -> None:
        write_whole(self.folder / LEDGER, self.ledger.model_dump_json())
