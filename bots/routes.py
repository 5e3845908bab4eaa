"""`variet routes`: which nodes there are and how they are, what was decided and what came of it, and what would be decided for a text."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Literal, cast, get_args

import click

from agent.errors import AgentError, TaskUnknown
from agent.farewell import run_until_told
from agent.routes.desk import explain_offline
from agent.routes.report import DECISIONS, ExplainRequest, Explanation
from agent.service.attach import attach
from agent.service.client import ServiceClient
from agent.service.faults import UNKNOWN_TASK, ServiceError
from agent.service.home_use import UNUSABLE
from bots.group_options import refuse_options_before
from bots.refusal import refuse
from bots.route_lines import decision_lines, explanation_lines, node_lines
from bots.standard_input import take_any_bytes
from config.load import ConfigError, load_agent
from config.paths import Home
from config.shapes.routing import Latency

FAILED = 1
WRONG_USAGE = 2
INTERRUPTED = 130
Need = Literal["tools", "vision", "attachments"]
ALWAYS_NEEDED: frozenset[Need] = frozenset({"tools"})
"""By every turn: the assistant has its tools in all of them."""
EPILOG = """\b
Examples:
  variet routes                               nodes, tiers, limits, last decisions
  variet routes --json --limit 100            the same for a program
  variet routes explain "refactor this"       who would answer, and why
  variet routes explain --tier deeper hello   as if that tier were asked for
  git diff | variet routes explain -          a text from a pipe

\b
Exit codes: 0 done; 1 the agent service could not be reached or failed;
2 wrong usage or settings; 130 Ctrl-C.
"""


def _run(work: Callable[[ServiceClient], Awaitable[None]], *, as_json: bool) -> None:
    async def attached() -> None:
        async with attach(Home.find(), on_status=lambda _: None) as service:
            await work(service)

    try:
        run_until_told(attached)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except (AgentError, ConfigError) as error:
        cause = _cause(error)
        refuse("routes", cause, as_json=as_json)
        sys.exit(WRONG_USAGE if isinstance(cause, ConfigError) or _is_wrong_task(cause) else FAILED)


def _cause(error: AgentError | ConfigError) -> AgentError | ConfigError:
    """The settings, where they are why no service came up: only one that runs can go without them."""
    if isinstance(error, ServiceError) and error.code != UNUSABLE and not _is_wrong_task(error):
        try:
            load_agent(home=Home.find())
        except ConfigError as wrong:
            return wrong
    return error


def _is_wrong_task(error: AgentError) -> bool:
    return isinstance(error, TaskUnknown) or (isinstance(error, ServiceError) and error.code == UNKNOWN_TASK)


@click.group(invoke_without_command=True, epilog=EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.option("--limit", type=click.IntRange(0, 1000), default=DECISIONS, show_default=True, help="Most decisions that are shown.")
@click.pass_context
def routes(context: click.Context, limit: int, *, as_json: bool) -> None:
    """Show who can answer, what each may still cost today, and the last decisions with their reasons."""
    if context.invoked_subcommand is not None:
        refuse_options_before(context)
        return

    async def show(service: ServiceClient) -> None:
        report = await service.routes(limit)
        if as_json:
            click.echo(report.model_dump_json())
            return
        for node in report.nodes:
            click.echo("\n".join(node_lines(node)))
        for decision in report.decisions:
            click.echo("\n".join(["", *decision_lines(decision)]))

    _run(show, as_json=as_json)


@routes.command(epilog=EPILOG)
@click.argument("text", nargs=-1, required=True)
@click.option("--tier", help="As if this tier or node were given: a name, `node/tier`, `big`, `deeper`.")
@click.option("--task", help="The type of task in [routing.tasks], instead of what the words say.")
@click.option("--latency", type=click.Choice(get_args(Latency)), default="any", show_default=True, help="When an answer must begin.")
@click.option("--tokens", type=click.IntRange(0), default=0, help="As if so many tokens of conversation lay before it.")
@click.option(
    "--need", "needs", type=click.Choice(get_args(Need)), multiple=True, help="What the model must be able to do beside calling tools."
)
@click.option("--force", "forced", is_flag=True, help="As if the big tier were forced.")
@click.option("--offline", is_flag=True, help="By the settings alone: no service is started and no node asked.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def explain(  # noqa: PLR0913 - one for each option
    text: tuple[str, ...], tier: str | None, task: str | None, latency: str, tokens: int, needs: tuple[str, ...],
    *, forced: bool, offline: bool, as_json: bool,
) -> None:  # fmt: skip
    """Show who would answer TEXT, by which rule, and why the others would not. Nothing is asked of a model and nothing stored."""
    take_any_bytes()
    asked = ExplainRequest(
        text=sys.stdin.read() if text == ("-",) else " ".join(text), tier=tier, task=task, latency=cast("Latency", latency),
        history_tokens=tokens, needs=frozenset(cast("tuple[Need, ...]", needs)) | ALWAYS_NEEDED, forced=forced,
    )  # fmt: skip

    def show(explanation: Explanation) -> None:
        click.echo(explanation.model_dump_json() if as_json else "\n".join(explanation_lines(explanation)))

    async def ask(service: ServiceClient) -> None:
        show(await service.explain(asked))

    if not offline:
        _run(ask, as_json=as_json)
        return
    try:
        show(explain_offline(asked, load_agent(home=Home.find())))
    except (ConfigError, TaskUnknown) as error:
        refuse("routes", error, as_json=as_json)
        sys.exit(WRONG_USAGE)
