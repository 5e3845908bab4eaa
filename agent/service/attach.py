"""Find the service of a home, or start it, and stay attached for as long as a front-end lives.

Any number of front-ends may do this at once: one of them starts the service, the others wait for it. A `service.json` whose process is
gone, or that belongs to another version, is replaced. One that runs with older settings than are written by now gives way where nobody
else needs it, and is used as it is where somebody does, or started it to stay.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, ExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import click
from anyio.abc import TaskGroup, TaskStatus

from agent.errors import AgentError
from agent.launch import VARIET, is_running, last_lines, spawn_detached
from agent.service.address import Address, own_version
from agent.service.client import ServiceClient, new_http_client
from agent.service.faults import ServiceError, ServiceGone
from agent.service.home_use import prepared, writing_in
from agent.service.settings_digest import digest_of
from agent.service.wire import NEEDED
from config.disk.file_lock import try_lock
from config.load import ConfigError, load_agent
from config.paths import Home

START_BOUND_S = 30.0
"""From starting the service to its address: a second when all is well, most of it imports; a busy machine takes several times that."""
LEAVE_BOUND_S = 45.0
"""A service that is leaving ends its children within its own bounds first, and only then is its home free."""
LOOK_S = 0.03
"""Between looks at `service.json`: shorter than anybody notices, and nothing next to what a start costs."""
CLOSE_BOUND_S = 2.0
"""Closing a loopback connection."""
MAX_TRIES = 3
"""A service may leave just as we attach; that this happens three times in a row is a fault."""

OLDER = (
    "The agent service that runs has other settings than agent.toml and the environment give now. These count from its next start on: "
    "when the last front-end has gone, or `variet serve` is started again."
)
RENEWED = "Variet was changed on the disk since this program was started, and its service runs the new code. Start this program again."
SERVE = (*VARIET, "serve", "--on-demand")
OnStatus = Callable[[str], None]
OnOlder = Callable[[str], None]
_told = set[Path]()
"""Homes of whose older settings this process was told: a front-end attaches again and again."""


def say_on_stderr(text: str) -> None:
    """Also for a script, which may have been started with a variable that is to keep something in the house."""
    click.echo(text, err=True)


@asynccontextmanager
async def attach(
    home: Home, *, settings_path: Path | None = None, on_status: OnStatus, on_older: OnOlder = say_on_stderr,
    command: Sequence[str] = SERVE, options: Sequence[str] = (),
) -> AsyncGenerator[ServiceClient]:  # fmt: skip
    """Be attached to the service of a home, which is started if it does not run.

    Args:
        home: whose service.
        settings_path: settings for a service that has to be started, instead of the home's agent.toml.
        on_status: told in a few words what is being waited for.
        on_older: told, once per process, that the service goes on with older settings; and that one of an older version was ended that was
            to stay.
        command: what starts the service.
        options: more of its arguments, if it is started.

    Raises:
        ServiceError: it cannot be started, could not get ready, or the home cannot be written.
    """
    prepared(home)
    start = _Start(home, (*command, *options), settings_path, on_status, on_older)
    failure: Exception | None = None
    async with anyio.create_task_group() as tasks:
        try:
            client = await _attached(start, tasks)
            try:
                yield client
            finally:
                tasks.cancel_scope.cancel()
                with anyio.move_on_after(CLOSE_BOUND_S, shield=True):
                    await client.close()
        except Exception as error:  # noqa: BLE001 - raised again below: the task group would wrap it
            failure = error
            tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure


@dataclass(frozen=True)
class _Start:
    """How to find or start one home's service."""

    home: Home
    command: Sequence[str]
    settings_path: Path | None
    on_status: OnStatus
    on_older: OnOlder

    @property
    def log(self) -> Path:
        return self.home.log_dir / "service.log"

    @property
    def argv(self) -> list[str]:
        return [*self.command, *(["--config", self.settings] if self.settings else [])]

    @property
    def settings(self) -> str | None:
        return str(self.settings_path.absolute()) if self.settings_path else None

    async def find(self, *, renews: bool = False) -> ServiceClient | None:
        """The service that runs, if it does and is one that we can use.

        Args:
            renews: one that runs with other settings than ours is ended where nobody needs it.
        """
        with writing_in(self.home):
            address = Address.of_running(self.home)
        if address is None:
            return None
        async with AsyncExitStack() as stack:
            client = ServiceClient(new_http_client(address), address)
            stack.push_async_callback(client.close)
            try:
                health = await client.health()
                if health.status != "leaving" and self._suits(address):
                    if self._is_as_written(address) or not await self._gives_way(client, renews=renews):
                        stack.pop_all()
                        return client
                elif health.status != "leaving":
                    await self._replace(client)
                await self.wait_withdrawn(address)
            except ServiceGone:
                # Nobody listens: it was killed just now.
                pass
        return None

    async def find_or_start(self, *, renews: bool) -> ServiceClient:
        """The service that runs, else a new one; one starter at a time."""
        with anyio.move_on_after(START_BOUND_S + LEAVE_BOUND_S):
            while True:
                if client := await self.find(renews=renews):
                    return client
                # Once is enough: two front-ends whose settings differ would end each other's for ever.
                renews = False
                with ExitStack() as stack:
                    with writing_in(self.home):
                        is_ours = stack.enter_context(try_lock(self.home.run_dir / "starting.lock"))
                    if is_ours and (client := await self._start()):
                        return client
                await anyio.sleep(LOOK_S)
        raise ServiceError(f"The agent service did not come up. Its log: {self.log}")

    async def wait_withdrawn(self, address: Address) -> None:
        """Wait until a service that is leaving has left."""
        with anyio.move_on_after(LEAVE_BOUND_S):
            while (present := Address.read(self.home)) and present.token == address.token and is_running(address.pid):  # noqa: ASYNC110 - another process ends: no event of ours can tell
                await anyio.sleep(LOOK_S)

    async def _start(self) -> ServiceClient | None:
        if client := await self.find():
            return client
        self.on_status("starting the agent service")
        leftover = Address.read(self.home)
        with writing_in(self.home):
            process = spawn_detached(self.argv, environment=self.home.environment(), log=self.log)
        with anyio.move_on_after(START_BOUND_S):
            while process.poll() is None:
                address = Address.read(self.home)
                if address is not None and (leftover is None or address.token != leftover.token):
                    return ServiceClient(new_http_client(address), address)
                await anyio.sleep(LOOK_S)
            if client := await self.find():
                return client
            raise ServiceError(f"The agent service ended while it was starting. The end of {self.log}:\n{last_lines(self.log)}")
        raise ServiceError(f"The agent service did not listen within {START_BOUND_S:.0f} s. Its log: {self.log}")

    def _suits(self, address: Address) -> bool:
        # However both are spelled, and the home's own may be named, too: an alias always does.
        theirs = Path(address.settings or self.home.agent_toml).resolve()
        return address.version == own_version() and (self.settings_path is None or self.settings_path.resolve() == theirs)

    def _is_as_written(self, address: Address) -> bool:
        """Whether it runs with what we would read now; what cannot be read is told by whoever needs it."""
        if address.digest is None:
            return True
        try:
            # By the name that it was given: file names in it may begin there.
            settings = load_agent(Path(address.settings) if address.settings else None, home=self.home)
        except ConfigError:
            return True
        return digest_of(settings) == address.digest

    async def _gives_way(self, client: ServiceClient, *, renews: bool) -> bool:
        """End a service with other settings where nobody needs it; where it goes on, the person is told."""
        if renews and not client.address.stays:
            try:
                await client.shut_down(only_if_unneeded=True)
            except ServiceError as error:
                if error.code != NEEDED:
                    raise
            else:
                return True
        if self.home.run_dir not in _told:
            _told.add(self.home.run_dir)
            self.on_older(OLDER)
        return False

    async def _replace(self, client: ServiceClient) -> None:
        address = client.address
        if address.is_of_newer_code:
            raise ServiceError(RENEWED)
        if address.stays and address.version == own_version():
            raise ServiceError(
                f"`variet serve` (process {address.pid}) runs here to stay, with the settings of "
                f"{address.settings or self.home.agent_toml} and not those of {self.settings}. End it there, or leave --config out."
            )
        try:
            await client.shut_down(only_if_unneeded=True)
        except ServiceError as error:
            if error.code != NEEDED:
                raise
            raise ServiceError(
                f"An agent service of version {client.address.version} (process {client.address.pid}), with other settings or another "
                f"version, is in use by another front-end. Close that front-end first."
            ) from error
        if address.stays:
            # Not among what is only waited for, which scripts and some commands do not show: nobody else starts it again.
            self.on_older(f"ended `variet serve` (process {address.pid}), which was of version {address.version}; start it again")


async def _attached(start: _Start, tasks: TaskGroup) -> ServiceClient:
    for attempt in range(MAX_TRIES):
        client = await start.find_or_start(renews=attempt == 0)
        try:
            # One that we started is of the code that is there now.
            if client.address.is_of_newer_code:
                raise ServiceError(RENEWED)
            await tasks.start(_stay_attached, client, start.on_status)
        except BaseException as error:
            with anyio.move_on_after(CLOSE_BOUND_S, shield=True):
                await client.close()
            if not isinstance(error, ServiceGone):
                raise
            await start.wait_withdrawn(client.address)
        else:
            return client
    raise ServiceError(f"The agent service left {MAX_TRIES} times while we were attaching. Its log: {start.log}")


async def _stay_attached(client: ServiceClient, on_status: OnStatus, *, task_status: TaskStatus[None]) -> None:
    is_ready = False
    try:
        async with aclosing(client.notices()) as notices:
            async for notice in notices:
                match notice.kind:
                    case "status":
                        on_status(notice.text)
                    case "ready":
                        is_ready = True
                        task_status.started()
                    case "failed":
                        raise ServiceError(notice.text)
                    case "leaving":
                        raise ServiceGone
    except AgentError:
        if not is_ready:
            raise
    finally:
        client.gone.set()


async def end_service(home: Home) -> None:
    """Tell the service of a home to leave, if there is one, and wait until it has."""
    address = Address.of_running(home)
    if address is None:
        return
    client = ServiceClient(new_http_client(address), address)
    try:
        await client.shut_down()
    except AgentError:
        # Gone already, or on its way out.
        pass
    finally:
        await client.close()
    with anyio.move_on_after(LEAVE_BOUND_S):
        while is_running(address.pid):  # noqa: ASYNC110 - another process ends - it may not be our child
            await anyio.sleep(LOOK_S)
