"""What a child says is kept for its owner, as far as there is room for it."""

from __future__ import annotations

import os
import queue
from pathlib import Path

import pytest

from inference.processes.child_output import ChildOutput
from inference.runtimes.failures import classify

BOUND_S = 20
REASON = (
    "CUDA error: out of memory",
    "  current device: 0, in function alloc at ggml-cuda.cu:406",
    "  cuMemCreate(&handle, reserve_size, &prop, 0)",
    "/src/ggml-cuda.cu:132: CUDA error",
)
"""What llama.cpp says before it aborts."""
TRACES = {
    "symbols": [
        *(f"/opt/llama/libggml-base.so(+0x{at:x})[0x7f{at:x}]" for at in range(20)),
        "/lib/x86_64-linux-gnu/libc.so.6(__libc_start_main+0x8b) [0x7f24]",
        "/opt/llama/libggml-base.so(_ZN4ggml5abortEv+0x1f)[0x7f25]",
    ],
    "gdb": [
        *(f"[New LWP {at}]" for at in range(9)),
        "",
        "This GDB supports auto-downloading debuginfo from the following URLs:",
        "  <https://debuginfod.fedoraproject.org/>",
        "Enable debuginfod for this session? (y or [n]) [answered N; input not from terminal]",
        "Debuginfod has been disabled.",
        "To make this setting permanent, add 'set debuginfod enabled off' to .gdbinit.",
        "[Thread debugging using libthread_db enabled]",
        'Using host libthread_db library "/lib64/libthread_db.so.1".',
        "\x1b[34m0x00007fad83e2ee13\x1b[m in \x1b[33mwait4\x1b[m () from \x1b[32m/lib64/libc.so.6\x1b[m",
        "warning: 30\t../sysdeps/unix/sysv/linux/wait4.c: No such file or directory",
        *(f"#{at}  \x1b[34m0x00007fad\x1b[m in \x1b[33mf{at}\x1b[m (error=2) from libllama.so" for at in range(20)),
        "#20 main (argc=3, argv=0x7ffd) at server.cpp:120",
        "120\t    return run(argc, argv);",
        "[Inferior 1 (process 16260) detached]",
    ],
    "lldb": [
        "(lldb) process attach --pid 16260",
        "Process 16260 stopped",
        "* thread #1, name = 'llama-server', stop reason = signal SIGSTOP",
        *(f"    frame #{at}: 0x00007fad libggml-base.so`ggml_abort + 160" for at in range(20)),
        "  * frame #20: 0x00007fad libc.so.6`wait4 + 87",
        "->  0x7fad83e2ee13 <+87>: cmpq   $-0x1000, %rax",
        "(lldb) quit",
    ],
    "macOS": [f"{at}   libggml-base.0.dylib                0x00000001048f{at:04x} ggml_abort + 160" for at in range(20)],
    "elsewhere": [f"{at}: 0x7fad83e2ee13 ggml_abort" for at in range(40)],
}
"""What may come after that: the stack, by whichever debugger is there."""


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


@pytest.mark.parametrize("trace", TRACES.values(), ids=TRACES)
def test_the_last_lines_are_what_the_child_said_and_not_the_stack_behind_it(tmp_path: Path, trace: list[str]) -> None:
    reader, writer = os.pipe()
    output = ChildOutput([os.fdopen(reader, "rb", buffering=0)], tmp_path / "log", lambda _: False)
    output.start()
    os.write(writer, "".join(f"{line}\n" for line in (*REASON, *trace)).encode())
    os.close(writer)
    output.join(BOUND_S)
    assert output.tail() == REASON
    assert classify(134, output.tail()) == "out_of_memory"
    assert trace[-1] in (tmp_path / "log").read_text(encoding="utf-8"), "who looks for the fault finds it in the log"


@pytest.mark.parametrize(
    "line",
    [
        "srv  load_model: [mtmd] loading 3 (of 7)",
        "load_tensors: offloaded 33/33 layers to GPU [0x10]",
        "#include is no stack",
        "3 layers on the GPU",
        "ValueError: [Errno 2] No such file or directory: '/m.gguf'",
        "warning: no usable GPU found, --gpu-layers option will be ignored",
    ],
)
def test_what_only_looks_like_a_stack_is_kept(tmp_path: Path, line: str) -> None:
    reader, writer = os.pipe()
    output = ChildOutput([os.fdopen(reader, "rb", buffering=0)], tmp_path / "log", lambda _: False)
    output.start()
    os.write(writer, line.encode())
    os.close(writer)
    output.join(BOUND_S)
    assert output.tail() == (line,)
