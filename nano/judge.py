"""Judges the shipped model on requests that were written without sight of the generator: `python -m nano.judge [--model FILE]`.

With `--floor` only the sample that `tests/judged/floor.json` names is judged, and the exit code is 1 where less of it is right than
stands there.

Every request goes through the whole product: the engine with its embedded server, the agent's runtime, the real tool servers over a
fresh home. A person who says yes to every approval is the only part that is played.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from subprocess import PIPE, Popen
from time import monotonic, sleep
from typing import Any
from zoneinfo import ZoneInfo

import anyio

from agent.events import TURN_ENDS, ApprovalNeeded, ModelReplied, TurnDone
from agent.local_time import Zone
from agent.sessions.session import Runtime, open_runtime
from config.load import load_agent
from config.paths import Home
from nano.judge_world import search_instance, seed
from nano.score import Score, score

JUDGED = Path(__file__).parents[1] / "tests" / "judged"
START_TIMEOUT_S = 60.0
"""The engine listens within a second; a busy machine takes longer."""
TURN_TIMEOUT_S = 180.0
"""A turn of this model takes seconds; anything longer is a hang."""
WORKERS = 3
"""Homes at once: most of a case is the start of its tool servers."""
CHANGES_NOTHING = frozenset({"list", "list_query", "free", "search_mail", "web_search", "ask", "cannot", "greet", "time"})
"""Intents whose cases may share a home: they write nothing when answered right, and a session each keeps their histories apart."""


class FixedZone(Zone):
    """A zone whose clock stands at the world's moment."""

    moment: datetime

    def now(self) -> datetime:
        return self.moment


@dataclass(frozen=True)
class Result:
    case: dict[str, Any]
    calls: list[dict[str, Any]]
    reply: str
    score: Score


@contextmanager
def engine(model: Path | None, folder: Path) -> Iterator[str]:
    """The engine on a free port, serving `model` (default: the shipped one)."""
    config = folder / "engine.toml"
    # The engine takes a path from its own settings' folder.
    path = f'"{model.resolve(strict=True)}"' if model else '"builtin:nano"'
    config.write_text(f'[models.nano]\npath = {path}\ncontext = 2048\nslots = 3\nthreads = 1\n\n[tiers]\nfast = "nano"\n', encoding="utf-8")
    port_file = folder / "engine.json"
    command = [
        sys.executable,
        "-m",
        "bots.cli",
        "engine",
        "serve",
        "--config",
        str(config),
        "--port",
        "0",
        "--port-file",
        str(port_file),
        "--leashed",
    ]
    with Popen(command, stdin=PIPE, env={**os.environ, "VARIET_HOME": str(folder / "engine-home")}) as process:
        try:
            deadline = monotonic() + START_TIMEOUT_S
            while not port_file.exists():
                if process.poll() is not None or monotonic() > deadline:
                    raise SystemExit("the engine did not start")
                sleep(0.05)
            yield json.loads(port_file.read_text(encoding="utf-8"))["url"]
        finally:
            process.terminate()


@asynccontextmanager
async def runtime_of(world: dict[str, Any], url: str) -> AsyncIterator[Runtime]:
    """The agent over a fresh home of this world."""
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="variet-judge-")))
        home = Home.at(root)
        seed(home.data_dir, world)
        # Each yes is given at once and means now: nothing is held to be taken back.
        overrides: dict[str, Any] = {"agent": {"zone": world["zone"], "send_hold_s": 0}}
        if world.get("search"):
            overrides["searxng"] = {"urls": [stack.enter_context(search_instance(world["search"]["results"]))]}
        elif world.get("search") is not None:
            overrides["searxng"] = {"urls": [stack.enter_context(search_instance([]))]}
        settings = load_agent(None, overrides, home=home)
        zone = FixedZone(world["zone"], ZoneInfo(world["zone"]))
        zone.moment = datetime.fromisoformat(world["now"]).astimezone(zone.info)
        async with open_runtime(home, settings, engine_url=url, engine_key=None, zone=zone) as runtime:
            yield runtime


async def turn(runtime: Runtime, session: str, text: str) -> tuple[list[dict[str, Any]], str]:
    """One request with every approval answered yes: the calls made, and the answer."""
    calls: list[dict[str, Any]] = []
    answer = ""
    with anyio.fail_after(TURN_TIMEOUT_S):
        turn_id = await runtime.send(session, text, who="judge", grants=frozenset())
        async with aclosing(runtime.events(session)) as events:
            async for event in events:
                if event.turn != turn_id:
                    continue
                if isinstance(event, ModelReplied):
                    calls += [{"name": c.name, "arguments": _arguments(c.arguments)} for c in event.calls]
                elif isinstance(event, ApprovalNeeded):
                    await runtime.approve(event.approval, digest=event.digest, granted=True, who="judge")
                elif isinstance(event, TurnDone):
                    answer = event.answer
                if event.type in TURN_ENDS:
                    break
    return calls, answer


def _arguments(text: str) -> dict[str, Any]:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return {"broken": text}


async def judge(case: dict[str, Any], runtime: Runtime, world: dict[str, Any]) -> Result:
    session = await runtime.open_session()
    for line in case.get("history", []):
        await turn(runtime, session, line)
    calls, reply = await turn(runtime, session, case["request"])
    now = datetime.fromisoformat(world["now"]).astimezone(ZoneInfo(world["zone"]))
    return Result(case, calls, reply, score(case, calls, reply, now))


async def judge_all(cases: list[dict[str, Any]], worlds: dict[str, Any], url: str) -> list[Result]:
    """Every case; those that change nothing share one home per world."""
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for number, case in enumerate(cases):
        shared = case["intent"] in CHANGES_NOTHING and not case.get("history")
        groups[case["world"] if shared else f"{case['world']}#{number}"].append(case)
    results: list[Result] = []
    waiting = list(reversed(groups.items()))

    async def work() -> None:
        while waiting:
            key, group = waiting.pop()
            world = worlds[key.split("#")[0]]
            async with runtime_of(world, url) as runtime:
                for case in group:
                    results.append(await judge(case, runtime, world))
                    sys.stderr.write(f"\r{len(results)}/{len(cases)}")

    async with anyio.create_task_group() as tasks:
        for _ in range(WORKERS):
            tasks.start_soon(work)
    sys.stderr.write("\n")
    return sorted(results, key=lambda r: str(r.case["id"]))


def summary(results: list[Result]) -> dict[str, Any]:
    """Shares of right acts, arguments and replies, by intent and in all; wrong actions where none was right."""
    by: dict[str, list[Score]] = defaultdict(list)
    for r in results:
        by[r.case["intent"]].append(r.score)
    outside = [r for r in results if r.case["reply"]["kind"] == "cannot"]

    def shares(scores: list[Score]) -> dict[str, Any]:
        n = len(scores)
        return {
            "cases": n,
            "act": round(sum(s.is_act_right for s in scores) / n, 4),
            "arguments": round(sum(s.is_act_right and s.are_arguments_right for s in scores) / n, 4),
            "reply": round(sum(s.is_reply_right for s in scores) / n, 4),
        }

    return {
        "all": shares([r.score for r in results]),
        "outside_reach": {"cases": len(outside), "wrong_actions": sum(bool(r.calls) for r in outside)},
        "intents": {name: shares(scores) for name, scores in sorted(by.items())},
    }


def below(report: dict[str, Any], least: dict[str, float]) -> list[str]:
    """A sentence for each share of a sample that is lower than it may be."""
    return [f"{name} {report['all'][name]}, at least {share}" for name, share in least.items() if report["all"][name] < share]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="a GGUF file (default: the shipped one)")
    parser.add_argument("--only", help="intents, by comma")
    parser.add_argument("--floor", action="store_true", help="only the sample with a floor, and fail below it")
    parser.add_argument("--out", type=Path, help="write the scores as JSON")
    parser.add_argument("--details", type=Path, help="write every case's outcome as JSON lines")
    args = parser.parse_args()
    worlds = json.loads((JUDGED / "worlds.json").read_text(encoding="utf-8"))
    cases = [json.loads(line) for line in (JUDGED / "requests.jsonl").read_text(encoding="utf-8").splitlines() if line.strip()]
    if args.only:
        cases = [c for c in cases if c["intent"] in args.only.split(",")]
    floor = json.loads((JUDGED / "floor.json").read_text(encoding="utf-8"))
    if args.floor:
        cases = cases[floor["first"] :: floor["every"]]
    with tempfile.TemporaryDirectory(prefix="variet-judge-engine-") as folder, engine(args.model, Path(folder)) as url:
        results = anyio.run(judge_all, cases, worlds, url)
    report = summary(results)
    sys.stdout.write(json.dumps(report, indent=1) + "\n")
    if args.out:
        args.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if args.details:
        rows = [
            {
                "id": r.case["id"],
                "request": r.case["request"],
                "calls": r.calls,
                "reply": r.reply,
                "right": r.score.is_right,
                "note": r.score.note,
            }
            for r in results
        ]
        args.details.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    missed = below(report, floor["least"]) if args.floor else []
    if missed:
        sys.exit(f"The model that ships does worse than it did: {'; '.join(missed)}. See tests/judged/README.md.")


if __name__ == "__main__":
    main()
