"""The real command line with the runtime in memory behind it: `python -m tests.fakes.variet chat`."""

from __future__ import annotations

import functools
import sys

import bots.ask
import bots.cli
import bots.link
import bots.sessions
from agent.service.attach import attach

SERVICE = (sys.executable, "-m", "tests.fakes.service_process")


def main() -> None:
    attach_to_fake = functools.partial(attach, command=SERVICE)
    bots.ask.attach = attach_to_fake
    bots.link.attach = attach_to_fake
    bots.sessions.attach = attach_to_fake
    bots.cli.main()


if __name__ == "__main__":
    main()
