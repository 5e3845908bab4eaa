"""A runtime in a process of its own, to be killed: `python -m tests.agent.crashing_runtime HOME ENGINE_URL TEXT`.

With a text it opens a session and sends it; with `-` it goes on with what it finds. It answers every approval with yes, prints the type
of every event as it comes, and exits when the turn has ended. Its tools are real servers: those of the fake, or with a file `real` in the
home's data ours, all of them or those that it names.
"""

from __future__ import annotations

import sys
from pathlib import Path

import anyio

from agent.events import TURN_ENDS, ApprovalNeeded
from agent.sessions.session import Runtime, open_runtime
from config.paths import Home
from config.schema import AgentSection, AgentSettings, ServerEntry
from config.vocabulary import BUILTINS
from tests.agent.runtimes import fake_toolbox


async def answer_until_the_end(runtime: Runtime, session: str) -> None:
    async for event in runtime.events(session):
        if event.seq:
            sys.stdout.write(f"{event.type}\n")
            sys.stdout.flush()
        if isinstance(event, ApprovalNeeded) and event.approval in {needed.approval for needed in runtime.approvals()}:
            await runtime.approve(event.approval, digest=event.digest, granted=True, who="test")
        if event.type in TURN_ENDS:
            return


async def live(home: Home, url: str, text: str) -> None:
    real = home.data_dir / "real"
    named = real.read_text().split() if real.exists() else []
    servers = {name: ServerEntry(builtin=name, enabled=not named or name in named) for name in BUILTINS}
    settings = AgentSettings(agent=AgentSection(zone="Europe/Berlin", send_hold_s=0), servers=servers)
    tools = None if real.exists() else fake_toolbox(home.data_dir / "tools")
    async with open_runtime(home, settings, engine_url=url, engine_key=None, tools=tools) as runtime:
        if text != "-":
            session = await runtime.open_session()
            await runtime.send(session, text, who="test")
        for info in runtime.sessions():
            await answer_until_the_end(runtime, info.session)


if __name__ == "__main__":
    anyio.run(live, Home.at(Path(sys.argv[1])), sys.argv[2], sys.argv[3])
