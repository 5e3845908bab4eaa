"""A load that says nothing while its file is read is told from one that does nothing."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from inference.processes.child import ChildFailed
from tests.inference.test_child import launch, started

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system does not tell")]

READS_IN_SILENCE = """
import sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer
print("load_tensors: loading model tensors, this can take a while... (mmap = true)", flush=True)
pages = []
for _ in range(25):
    pages.append(b"x" * (4 << 20))
    time.sleep(0.1)
if sys.argv[2] == "hang":
    time.sleep(600)
class Health(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
HTTPServer(("127.0.0.1", int(sys.argv[1])), Health).serve_forever()
"""
"""As where the kernel reads a whole file at once: it takes in page after page and says not a word."""


async def test_a_load_that_is_silent_and_takes_in_its_file_outlives_the_stall_bound(tmp_path: Path) -> None:
    wanted = launch(stall_s=1.0, stop_s=0.2)
    async with started(tmp_path, replace(wanted, argv=(sys.executable, "-c", READS_IN_SILENCE, str(wanted.port), "serve"))) as (child, _):
        await child.wait_ready()
        await child.stop()


async def test_one_that_then_takes_in_nothing_more_is_ended_when_the_bound_is_over(tmp_path: Path) -> None:
    wanted = launch(stall_s=1.0)
    async with started(tmp_path, replace(wanted, argv=(sys.executable, "-c", READS_IN_SILENCE, str(wanted.port), "hang"))) as (child, _):
        began = anyio.current_time()
        with pytest.raises(ChildFailed) as failed:
            await child.wait_ready()
        assert failed.value.reason == "stalled"
        assert 3.0 < anyio.current_time() - began < 6.0
