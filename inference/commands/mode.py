"""`variet engine mode`: say or set whether this machine is lent to a game, and run the process that tells others."""

from __future__ import annotations

import socket
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import click
import httpx2
from click.core import ParameterSource
from pydantic import ValidationError

from config.logs import set_up_logging
from config.network.reach import why_unreached
from config.network.trust import why_untrusted
from config.paths import Home
from config.schema import ModeSection
from inference.cli import EXIT_CODES
from inference.commands import options
from inference.commands.asking import access_to, ca_option, connected_to, key_refused
from inference.contract import ErrorEnvelope
from inference.contract.mode import Mode, ModeStatus
from inference.door.bind import is_loopback
from inference.errors import SetupRefused
from inference.mode.process import FILE, find_mode
from inference.mode.server import serve_mode
from inference.mode.state import mode_file, read_mode, write_mode

ANSWER_BOUND_S = 5.0
"""The mode's process reads or writes one word."""

url_option = click.option(
    "--url",
    help="Ask the mode's process at this address (with the secret engine_key). Absent: the engine on another machine that this home is "
    "connected to (`engine.url` of agent.toml); without one, this machine's file.",
)
json_option = click.option("--json", "as_json", is_flag=True, help='Print {"mode": "NORMAL"}.')


class _AnyCase(click.Group):
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, cmd_name.lower())


@click.group(
    cls=_AnyCase,
    invoke_without_command=True,
    epilog=f"Examples: variet engine mode; variet engine mode GAMING; variet engine mode serve\n\n{EXIT_CODES}",
)
@url_option
@ca_option
@json_option
@click.pass_context
def mode(ctx: click.Context, url: str | None, ca: Path | None, *, as_json: bool) -> None:
    """Say or set the mode: in GAMING the engine admits only forced requests. On the engine's own machine it need not run.

    A mode that cannot be read counts as GAMING.
    """
    if ctx.invoked_subcommand is not None:
        _pass_on(ctx, ctx.invoked_subcommand)
    else:
        _show(_mode(None, url, ca), as_json=as_json)


@mode.command()
@url_option
@ca_option
@json_option
def normal(url: str | None, ca: Path | None, *, as_json: bool) -> None:
    """The engine takes every request again."""
    _show(_mode("NORMAL", url, ca), as_json=as_json)


@mode.command()
@url_option
@ca_option
@json_option
def gaming(url: str | None, ca: Path | None, *, as_json: bool) -> None:
    """The engine admits only forced requests, and unloads its models if the settings want that (mode.unload)."""
    _show(_mode("GAMING", url, ca), as_json=as_json)


@mode.command(epilog=f"Example: variet engine mode serve --port 18000\n\n{EXIT_CODES}")
@options.config
@click.option("--port", type=click.IntRange(0, 65535), help="Listen here instead of the settings' mode.port; 0 takes a free one.")
@click.option(
    "--port-file", type=click.Path(path_type=Path, dir_okay=False), help='Write {"url", "pid"} here instead of mode.json in the home.'
)
def serve(config: Path | None, port: int | None, port_file: Path | None) -> None:
    """Tell the mode on a port of its own, in the foreground, whether or not the engine runs."""
    home = Home.find()
    settings = options.settings_from(config, home, {})
    set_up_logging("mode", folder=None)
    try:
        serve_mode(settings, home, settings.mode.port if port is None else port, port_file or home.run_dir / FILE)
    except SetupRefused as error:
        raise options.WrongSettings(error.message) from error


@mode.command()
def stop() -> None:
    """End the process that `serve` or the engine started. The mode stays what it is."""
    running = find_mode(Home.find())
    try:
        if running is None:
            raise ProcessLookupError
        running.ask_to_end()
    except OSError:
        raise options.NoEngine("The mode's process does not run.") from None
    click.echo("Ended the mode's process.")


def _pass_on(ctx: click.Context, word: str) -> None:
    """Let options before a word count as if they came behind it, where the same one wins. Without its address it would set another machine.

    Raises:
        click.UsageError: what the word names has no such option.
    """
    command = mode.get_command(ctx, word)
    its_own = {each.name for each in command.params} if command is not None else set[str | None]()
    given = [each for each in mode.params if each.name and ctx.get_parameter_source(each.name) is ParameterSource.COMMANDLINE]
    for each in given:
        if each.name not in its_own:
            raise click.UsageError(
                f"`{ctx.command_path} {word}` has no {each.opts[0]}, and is about this machine alone. Leave it out.", ctx
            )
    ctx.default_map = {word: {each.name: ctx.params[each.name] for each in given if each.name}}


def _mode(wanted: Mode | None, url: str | None, ca: Path | None) -> Mode:
    """Say or set it.

    1. Of the machine that was named.
    2. Of the one whose engine this home uses: nobody's games are in the way of an engine elsewhere.
    3. Of this machine, by its file, for which nothing has to run.
    """
    # 1.
    if url is not None:
        return _ask(url, ca, wanted)
    home = Home.find()
    # 2.
    used = connected_to(home)
    if used is not None and not _is_here(used, home):
        told = _ask(f"{used}/engine", ca, wanted, used)
        click.echo(f"That is the machine of the engine at {used}.", err=True)
        return told
    # 3.
    return read_mode(mode_file(home)) if wanted is None else _write(home, wanted)


def _write(home: Home, wanted: Mode) -> Mode:
    try:
        write_mode(mode_file(home.prepare()), wanted)
    except OSError as error:
        raise options.Failure(f"The mode could not be written to {mode_file(home)}: {error.strerror}.") from error
    return wanted


def _is_here(engine: str, home: Home) -> bool:
    """Whether an engine's address is one of this machine; one that others can reach is connected to by its own machine, too."""
    host = urlsplit(engine).hostname or ""
    if is_loopback(host):
        return True
    server = options.settings_from(None, home, {}).server
    own = socket.gethostname()
    short = own.partition(".")[0]
    # By these names its gate lets people in, too.
    return host in {name.lower() for name in (server.host.strip("[]"), *server.names, own, short, f"{short}.local")}


def _ask(url: str, ca: Path | None, wanted: Mode | None, engine: str | None = None) -> Mode:
    """Ask the mode's process at `url`, or an `engine`, which tells it too."""
    access = access_to(url, ca, Home.find())
    method, body = ("GET", None) if wanted is None else ("PUT", {"mode": wanted})
    try:
        with httpx2.Client(headers=access.headers, verify=access.trusted, timeout=ANSWER_BOUND_S, trust_env=False) as client:
            answer = client.request(method, f"{url.rstrip('/')}/mode", json=body)
        if answer.is_success:
            return ModeStatus.model_validate_json(answer.content).mode
        said = ErrorEnvelope.model_validate_json(answer.content).error
        raise (
            key_refused(answer, engine or url, None if engine else "URL")
            if answer.status_code == HTTPStatus.UNAUTHORIZED
            else options.Failure(said.message)
        )
    except httpx2.TransportError as error:
        start = "Start it there: variet engine mode serve" if engine is None else "That is engine.url of agent.toml."
        silent = f"Nobody tells the mode at {url}: {error}. {start}"
        told = why_unreached(url, error) or silent
        raise options.NoEngine(why_untrusted(url, error) or (told if engine is None else _with_way_out(told, engine, wanted))) from error
    except ValidationError as error:
        raise options.NoEngine(f"What answers at {url} does not tell a mode.") from error


def _with_way_out(told: str, engine: str, wanted: Mode | None) -> str:
    """The machine may be on though its engine is not."""
    parts = urlsplit(engine)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    command = " ".join(["variet engine mode", *([wanted] if wanted else []), f"--url {parts.scheme}://{host}:{ModeSection().port}"])
    return f"{told} Where the engine alone is off, its machine may still tell its mode (at its mode.port): {command}"


def _show(mode: Mode, *, as_json: bool) -> None:
    click.echo(ModeStatus(mode=mode).model_dump_json() if as_json else mode)
