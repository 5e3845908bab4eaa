"""Serve one model as `llama-server` would, with the llama.cpp server of the `xllamacpp` wheel: `python -m inference.embedded`.

A supervisor sees no difference: the same HTTP API, log lines, state lines and exit codes. When `LLAMA_SERVER_ROUTER_PORT`
is set, llama.cpp itself writes its state lines (`cmd_child_to_router:state:`) and reads standard input in a thread of
its own; but only we can end this process in good order, so we stand between: we read the real standard input and
hand llama.cpp the exit command through a pipe that we hold.

Exit codes: 0 after the exit command, SIGTERM or SIGINT; 1 when the command line is refused, the port is taken, the model
does not load, or standard input ends (the supervisor is gone); 128 + n after signal n during the load, or as a second one.
Imports the wheel and the standard library only: it is to be up in a tenth of a second.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any, NoReturn

from inference.embedded.flags import FlagRefused, llama, parse, usage
from inference.runtimes.launch import KEY_VARIABLE
from inference.runtimes.state_lines import ENABLING_VARIABLE, EXIT_COMMAND

EXIT_OK = 0
EXIT_FAILED = 1

_ENDED_BY_COMMAND = "exit command"
_ENDED_BY_SIGNAL = "signal"
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_READY_MOMENT_S = 0.5
_LAST_WORDS_S = 0.3
"""For llama.cpp to write out what it has logged, when a start has failed anyway."""


def main(arguments: Sequence[str]) -> int:
    """Serve until told to leave; the exit code."""
    if not arguments or arguments[0] in ("-h", "--help"):
        sys.stdout.write(f"usage: python -m inference.embedded -m FILE --port N [...]\nIt takes: {usage()}\n")
        return EXIT_OK if arguments else EXIT_FAILED
    try:
        parameters = parse(arguments)
    except FlagRefused as refusal:
        sys.stderr.write(f"error: {refusal}\n")
        return EXIT_FAILED
    if (key := os.environ.get(KEY_VARIABLE)) and not parameters.api_keys:
        parameters.api_keys = [key]
    return _serve(parameters, is_child=ENABLING_VARIABLE in os.environ)


def _serve(parameters: Any, *, is_child: bool) -> int:
    commands_in, commands_out = _interpose() if is_child else (None, None)
    signals = _Signals()
    try:
        # Returns once the model is loaded and the port is served.
        server: Any = llama.Server(parameters)
    except RuntimeError as error:
        # llama.cpp has logged the cause, from a thread of its own: leaving at once would lose it.
        time.sleep(_LAST_WORDS_S)
        sys.stderr.write(f"error: {error}\n")
        return EXIT_FAILED
    why = _wait_for_end(commands_in, signals)
    sys.stderr.write(f"main: leaving ({why})\n")
    if commands_out is not None:
        # Ends llama.cpp's own listener, which its destructor waits for.
        os.write(commands_out, EXIT_COMMAND.encode())
    # The destructor ends the running requests, joins the threads and frees the model.
    del server
    return EXIT_OK


def _interpose() -> tuple[int, int]:
    """Put a pipe of ours in the place of standard input; the real one and the pipe's writing end."""
    real = os.dup(0)
    reader, writer = os.pipe()
    os.dup2(reader, 0)
    os.close(reader)
    return real, writer


class _Signals:
    """Takes the signals that end a process, in a thread of its own, before anything else can.

    llama.cpp installs handlers of its own at some time around "ready", which would end its loop and leave this process standing. So the
    signals are blocked in every thread, and no handler of anybody ever runs.
    """

    def __init__(self) -> None:
        self.came, self._tell = os.pipe()
        self._heeded = threading.Event()
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        threading.Thread(target=self._take, name="signals", daemon=True).start()

    def heed(self) -> None:
        """From now on the first signal is told on the pipe `came`; until then it ends the process at once, as the second does."""
        self._heeded.set()

    def _take(self) -> None:
        number = signal.sigwait(_SIGNALS)
        # "Ready" may be out a moment before the main thread is there to heed.
        if not self._heeded.wait(_READY_MOMENT_S):
            os._exit(128 + number)
        os.write(self._tell, b"!")
        os._exit(128 + signal.sigwait(_SIGNALS))


def _wait_for_end(commands_in: int | None, signals: _Signals) -> str:
    """Block until a signal or the exit command comes; ends the process itself when standard input ends."""
    signals.heed()
    watched = [signals.came] if commands_in is None else [signals.came, commands_in]
    line = b""
    while True:
        ready, _, _ = select.select(watched, [], [])
        if signals.came in ready:
            return _ENDED_BY_SIGNAL
        chunk = os.read(watched[1], 4096)
        if not chunk:
            _leave_at_once()
        line += chunk
        if EXIT_COMMAND.encode() in line:
            return _ENDED_BY_COMMAND
        line = line[-len(EXIT_COMMAND) :]


def _leave_at_once() -> NoReturn:
    """The supervisor is gone: nobody is left to be polite to, and a join could hang."""
    sys.stderr.write("main: standard input ended, forcing shutdown\n")
    sys.stderr.flush()
    os._exit(EXIT_FAILED)


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # Not through the interpreter's finalisation: there is nothing left to free, and llama.cpp's atexit order is its own.
    os._exit(code)
