"""`variet ask`: one question, one answer, for pipes and scripts.

Nobody can be asked here, so a call that needs a person waits in the queue and the exit code says so. The answer alone goes to standard
output; what is going on goes to standard error, and only when somebody watches.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, cast, get_args

import click

from agent.errors import AgentError, TaskUnknown
from agent.event_parts import Attached
from agent.events import (
    ApprovalNeeded,
    CallDecided,
    ContextTrimmed,
    EngineLoading,
    Event,
    RouteChosen,
    ServersMissing,
    ToolClass,
    ToolFinished,
    ToolStarted,
    TurnCancelled,
)
from agent.farewell import run_until_told
from agent.route_parts import RouteWish, check_task
from agent.service.attach import attach
from agent.service.breaks import TurnUnseen
from agent.service.client import ServiceClient
from agent.service.faults import SendCancelled, ServiceGone
from bots.asked_turn import AskedTurn, Attaching
from bots.demo import choose_seed, demo_home
from bots.lines import approval_lines, call_line, loading_line, missing_lines, result_line, route_line, staying_lines, trimmed_line
from bots.pictures import picture_of
from bots.piped import piped_beside, question_text, tell_unread
from bots.refusal import code_of
from bots.route_lines import FREE
from bots.standard_output import json_of
from bots.tally import EXIT_CODES, Tally
from bots.titles import TITLE_WIDTH
from config.load import ConfigError, load_agent
from config.paths import Home
from config.plain import for_file, neutralise, one_line
from config.shapes.routing import Latency

WHO = "cli"
GRANTABLE: tuple[ToolClass, ...] = ("write", "send", "delete")
LATENCIES = click.Choice(get_args(Latency))
SETTINGS_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
FAILED = 1
INTERRUPTED = EXIT_CODES["cancelled"]
AS_ASKED = frozenset({"pin-option", "force", "deeper"})
"""Rules by which the tier that was asked for answers."""
_C1 = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}


class Classes(click.ParamType[frozenset[ToolClass]]):
    """A list such as `write,send`."""

    name = "CLASS,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> frozenset[ToolClass]:
        """The classes that a text names."""
        if isinstance(value, frozenset):
            return cast("frozenset[ToolClass]", value)
        words = [word.strip() for word in str(value).split(",") if word.strip()]
        granted: frozenset[ToolClass] = frozenset(known for known in GRANTABLE if known in words)
        unknown = [word for word in words if word not in GRANTABLE]
        if unknown or not words:
            self.fail(f'"{", ".join(unknown) or value}" is no class of tools. The classes are: {", ".join(GRANTABLE)}.', param, ctx)
        return granted


@dataclass(frozen=True)
class Question:
    """What was asked for on the command line."""

    text: str
    grants: frozenset[ToolClass]
    tier: str | None
    task: str | None
    latency: Latency
    session: str | None
    settings_path: Path | None
    is_demo: bool
    seed: int
    now: datetime | None
    as_json: bool
    images: tuple[Path, ...] = ()
    """Pictures to be shown with it."""
    beside: tuple[Attached, ...] = ()
    """What is piped in beside it."""


NOW_FORMATS = ("%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M")
EPILOG = """\b
Examples:
  variet ask "what's on my calendar tomorrow?"
  variet ask --yes=write "add lunch with Bo on Friday at noon"
  echo "any mail from Anna?" | variet ask --json
  cat error.log | variet ask "what failed here?" -
  variet ask --image receipt.jpg "what did I pay?"

\b
What is put beside a question, by - here and by @FILE in `variet chat`, goes to
a larger model: the small one that ships reads no files, and refuses.

\b
Exit codes: 0 answered; 1 refused, failed, or something waits for approval
(what, and how to approve it, is shown); 2 wrong usage; 130 Ctrl-C.
"""


def _free(_: click.Context, __: click.Parameter, said: str | None) -> str | None:
    """The word that everywhere else says that nobody chooses does so here."""
    return None if said == FREE else said


@click.command(epilog=EPILOG)
@click.argument("question", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.option("--yes", "grants", type=Classes(), default=frozenset[ToolClass](), help="Approve in advance: write, send, delete.")
@click.option("--tier", callback=_free, help="Have this tier answer, such as fast or balanced; auto: the rules choose.")
@click.option("--task", help="The type of task in [routing.tasks], instead of what the words say.")
@click.option("--latency", type=LATENCIES, default="any", show_default=True, help="When the answer must begin; a rule may weigh it.")
@click.option("--session", help="Go on with this session.")
@click.option("--image", "images", type=SETTINGS_FILE, multiple=True, help="Show it this picture (PNG, JPEG, GIF); several times for more.")
@click.option("--demo", "is_demo", is_flag=True, help="Use a throw-away home with invented mail and events.")
@click.option("--seed", type=click.IntRange(min=0), callback=choose_seed, help="Which invented week the demo has. Without it: any.")
@click.option("--now", type=click.DateTime(NOW_FORMATS), hidden=True, help="Pretend that it is this time, for tests.")
@click.option("--config", "settings_path", type=SETTINGS_FILE, help="Instead of the home's agent.toml.")
def ask(question: tuple[str, ...], **options: Any) -> None:
    """Ask one thing and print the answer.

    Without QUESTION, or with `-`, it is read from standard input; with `-` behind QUESTION, what is piped in is put beside it. Reading
    needs no approval; what writes, sends or deletes does, and waits for it unless --yes names its class. --yes never covers sending or
    deleting once the session has read mail, invitations, the web or what was put beside a question: such text may be an instruction in
    disguise. What it covers goes out at once; nothing of it is held for `variet undo`.
    """
    asked = Question(text=question_text(question), **options)
    is_told = tell_unread(question)
    try:
        asked = replace(asked, beside=piped_beside(question))
        code = run_until_told(partial(_ask, asked))
    except KeyboardInterrupt:
        code = INTERRUPTED
    except (AgentError, ConfigError) as error:
        code = FAILED
        _report_error(asked, code_of(error), str(error), {"session": error.session} if isinstance(error, TurnUnseen) else {})
    if not is_told:
        # A slow program has written by now.
        tell_unread(question)
    sys.exit(code)


async def _ask(asked: Question) -> int:
    progress = _Progress(asked.tier)
    async with AsyncExitStack() as stack:
        home = Home.find()
        settings = load_agent(asked.settings_path, home=home)
        _check_task(asked.task, settings.routing.tasks)
        if asked.is_demo:
            home = await stack.enter_async_context(demo_home(asked.seed, zone=settings.agent.zone, now=asked.now))
            progress.say(f"an invented week (--seed {asked.seed})")
        tally = await _turn(partial(_attach, home, asked, progress), asked, progress)
        _print_outcome(asked, tally)
        return EXIT_CODES[tally.end]


def _check_task(task: str | None, tasks: Collection[str]) -> None:
    """As the service would, but before one is started."""
    try:
        check_task(task, tasks)
    except TaskUnknown as error:
        raise click.BadParameter(str(error), param_hint="--task") from error


def _attach(home: Home, asked: Question, progress: _Progress) -> AbstractAsyncContextManager[ServiceClient]:
    options = ["--now", asked.now.isoformat(timespec="seconds")] if asked.now else []
    return attach(home, settings_path=asked.settings_path, on_status=progress.say, options=options)


async def _turn(attaching: Attaching, asked: Question, progress: _Progress) -> Tally:
    turn: AskedTurn | None = None
    try:
        async with attaching() as service:
            turn = AskedTurn(attaching, await _begun(service, asked), progress.show, who=WHO)
            if not turn.tally.has_ended:
                await turn.hear(service)
            return turn.tally
    except ServiceGone:
        if turn is None:
            raise
    progress.say("the agent service is gone; starting it again")
    await turn.go_on()
    return turn.tally


async def _begun(service: ServiceClient, asked: Question) -> Tally:
    beside = [*asked.beside, *(picture_of(file, file.name) for file in asked.images)]
    session = await service.open_session(resume=asked.session, title="" if asked.session else one_line(asked.text, TITLE_WIDTH))
    try:
        turn = await service.send(
            session, asked.text, who=WHO, tier=asked.tier, grants=asked.grants, interactive=False, attached=beside,
            wish=RouteWish(task=asked.task, latency=asked.latency),
        )  # fmt: skip
    except SendCancelled:
        # By another front-end: as a turn that was.
        return Tally(session, turn="", cancelled=TurnCancelled(turn="", who=""))
    return Tally(session, turn)


class _Progress:
    """What is going on, on standard error, when that is a terminal."""

    def __init__(self, tier: str | None) -> None:
        self._tier = tier
        self._is_watched = sys.stderr.isatty()

    def say(self, text: str) -> None:
        if self._is_watched:
            click.echo(click.style(f"· {neutralise(text)}", dim=True), err=True)

    def show(self, event: Event) -> None:
        match event:
            case RouteChosen():
                self._show_route(event)
            case EngineLoading():
                self.say(loading_line(event))
            case ServersMissing():
                # Also for a script: an answer without its tools looks as if there were nothing to find.
                for line in missing_lines(event):
                    click.echo(line, err=True)
            case CallDecided():
                # Also for a script: the answer will say that the mail was sent.
                for line in staying_lines(event):
                    click.echo(line, err=True)
            case ContextTrimmed():
                self.say(trimmed_line(event))
            case ToolStarted():
                self.say(call_line(event.name, event.arguments))
            case ToolFinished():
                self.say(f"{event.name}: {result_line(event)}")
            case _:
                pass

    def _show_route(self, event: RouteChosen) -> None:
        if self._tier is not None and event.rule not in AS_ASKED:
            # Also for a script: it asked for another one.
            click.echo(f"variet ask: {self._tier} was asked for, and this answers: {route_line(event)}", err=True)
        else:
            self.say(route_line(event))


def _print_outcome(asked: Question, tally: Tally) -> None:
    if asked.as_json:
        _print_json({**tally.as_json(), **({"seed": asked.seed} if asked.is_demo else {})})
    elif tally.done is not None:
        shown = neutralise if sys.stdout.isatty() else for_file
        click.echo(shown(tally.done.answer))
    elif tally.failed is not None:
        click.echo(f"variet ask: {neutralise(tally.failed.error)}", err=True)
    else:
        click.echo("variet ask: the turn was cancelled.", err=True)
    for needed in tally.waiting.values():
        click.echo("\n".join(_waiting_lines(asked, tally, needed)), err=True)


def _waiting_lines(asked: Question, tally: Tally, needed: ApprovalNeeded) -> Sequence[str]:
    shown = ["", "Waits for approval (nothing was done):", *(f"  {line}" for line in approval_lines(needed))]
    why = tally.why(needed)
    if needed.tool_class in asked.grants:
        shown.append(f"--yes={needed.tool_class} does not cover it: {neutralise(why)}.")
    if asked.is_demo:
        covered = needed.tool_class in asked.grants or needed.tool_class not in GRANTABLE
        return [*shown, "To approve it, use: variet chat --demo" if covered else f"To approve it, ask again with --yes={needed.tool_class}"]
    return [*shown, f"To approve or refuse it: variet chat --session {tally.session}"]


def _report_error(asked: Question, code: str, message: str, more: Mapping[str, str]) -> None:
    if asked.as_json:
        _print_json({"error": {"code": code, "message": message, **more}})
    else:
        click.echo(f"variet ask: {neutralise(message)}", err=True)


def _print_json(value: dict[str, Any]) -> None:
    # JSON escapes what is below a space; the rest of the control characters it leaves to us.
    click.echo(json_of(value).translate(_C1))
