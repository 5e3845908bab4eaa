"""Every option of `variet ask` does what its help says: the command itself, with the runtime in memory behind it and no process at all."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import bots.ask
import bots.demo
from agent.route_parts import NO_WISH, RouteWish
from bots.titles import TITLE_WIDTH
from config.paths import Home
from tests.agent.test_pictures import png
from tests.fakes.routes import NOWHERE
from tests.fakes.runtime import FakeRuntime, open_fake_runtime


@dataclass
class Command:
    """Runs it; one run has one service."""

    folder: Path
    runtimes: list[FakeRuntime] = field(default_factory=list[FakeRuntime])
    homes: list[Home] = field(default_factory=list[Home])
    attached: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @asynccontextmanager
    async def attach(self, home: Home, **given: Any) -> AsyncGenerator[FakeRuntime]:
        self.homes.append(home)
        self.attached.append(given)
        async with open_fake_runtime() as runtime:
            # As after earlier runs: one conversation is there already.
            await runtime.open_session()
            self.runtimes.append(runtime)
            yield runtime

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(bots.ask.ask, arguments, catch_exceptions=False)

    def object(self, *arguments: str) -> dict[str, Any]:
        return json.loads(self.run("--json", *arguments).stdout)

    def wish(self) -> RouteWish:
        return next(iter(self.runtimes[-1].wishes.values()))


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    home = Home.at(tmp_path / "home").prepare()
    for name, value in home.environment().items():
        monkeypatch.setenv(name, value)
    ready = Command(tmp_path)
    monkeypatch.setattr(bots.ask, "attach", ready.attach)
    yield ready


def test_json_prints_one_object(command: Command) -> None:
    assert command.run("list").stdout == "You have two events tomorrow.\n"
    assert command.object("list")["answer"] == "You have two events tomorrow."


def test_yes_approves_in_advance_what_it_names(command: Command) -> None:
    assert (command.run("add Tea").exit_code, command.runtimes[-1].created) == (1, [])
    assert (command.run("--yes=send", "add Tea").exit_code, command.runtimes[-1].created) == (1, [])
    assert (command.run("--yes", "write,delete", "add Tea").exit_code, command.runtimes[-1].created) == (0, ["Tea"])


def test_tier_has_that_tier_answer_and_says_so_where_it_does_not(command: Command) -> None:
    ran = command.run("--tier", "balanced", "list")
    assert (ran.stderr, command.object("--tier", "balanced", "list")["tier"]) == ("", "balanced")
    ran = command.run("--tier", NOWHERE, "list")
    assert (ran.exit_code, ran.stdout) == (0, "You have two events tomorrow.\n")
    assert ran.stderr.startswith(f"variet ask: {NOWHERE} was asked for, and this answers: fast: ")
    assert f'but the engine does not serve "{NOWHERE}"' in ran.stderr


def test_task_is_the_type_instead_of_what_the_words_say(command: Command) -> None:
    reasons = command.object("--task", "coding", "list")["reasons"]
    assert reasons[0].startswith('the rule "coding" (task coding)')
    assert command.wish() == RouteWish(task="coding")
    assert not any("coding" in reason for reason in command.object("--task", "research", "refactor this")["reasons"])
    assert command.run("list").exit_code == 0
    assert command.wish() == NO_WISH


def test_a_type_of_task_that_no_rule_can_mean_is_wrong_usage(command: Command) -> None:
    ran = command.run("--task", "codng", "list")
    assert (ran.exit_code, ran.stdout, command.runtimes) == (2, "", [])
    assert '"codng" is no type of task in [routing.tasks]; there are: coding, research.' in " ".join(ran.stderr.split())


def test_latency_is_when_the_answer_must_begin(command: Command) -> None:
    assert command.object("--latency", "1s", "list")["reasons"][0].startswith('the rule "quick" (an answer within 1s)')
    assert command.wish() == RouteWish(latency="1s")
    assert not any("quick" in reason for reason in command.object("--latency", "10s", "list")["reasons"])
    assert command.run("--latency", "soon", "list").exit_code == 2


def test_a_conversation_that_begins_with_a_whole_log_has_one_line_of_it_for_a_title(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    titles: list[str] = []
    begin = FakeRuntime.open_session

    async def noted(self: FakeRuntime, *, resume: str | None = None, title: str = "") -> str:
        titles.append(title)
        return await begin(self, resume=resume, title=title)

    monkeypatch.setattr(FakeRuntime, "open_session", noted)
    log = "commit 1234\nAuthor: somebody\n" * 100
    assert CliRunner().invoke(bots.ask.ask, ["--json", "-"], input=log).exit_code == 0
    assert titles[-1].startswith("commit 1234 Author: somebody commit")
    assert len(titles[-1]) == TITLE_WIDTH
    command.object("what is due?")
    assert titles[-1] == "what is due?"


def test_session_goes_on_with_that_one_and_no_other(command: Command) -> None:
    assert command.object("--session", "s1", "list")["session"] == "s1"
    assert command.object("list")["session"] != "s1"
    assert command.object("--session", "s99", "list")["error"]["code"] == "session_not_found"


def test_image_shows_it_a_picture_several_times_for_more(command: Command) -> None:
    for name, size in (("a.png", (4, 3)), ("b.png", (5, 6))):
        (command.folder / name).write_bytes(png(*size))
    images = [word for name in ("a.png", "b.png") for word in ("--image", str(command.folder / name))]
    assert command.run(*images, "see").stdout == "I see a.png, 4 by 3; I see b.png, 5 by 6\n"
    assert command.run("--image", str(command.folder / "none.png"), "see").exit_code == 2


def test_demo_uses_a_throw_away_home_and_seed_says_which_week_it_has(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    seeded: list[tuple[int, Path]] = []
    monkeypatch.setattr(bots.demo, "SEEDER", (__name__, "note"))

    def note(folder: Path, seed: int, *_: object) -> None:
        seeded.append((seed, folder))

    monkeypatch.setattr(sys.modules[__name__], "note", note, raising=False)
    assert command.object("--demo", "--seed", "7", "list")["seed"] == 7
    assert command.homes[-1] != Home.find()
    assert not (command.homes[-1].root or command.homes[-1].data_dir).exists(), "the demo's home is left"
    drawn = command.object("--demo", "list")["seed"]
    assert [seed for seed, _ in seeded] == [7, drawn]
    assert "seed" not in command.object("--seed", "7", "list")
    assert command.homes[-1].state_dir == Home.find().state_dir


def test_config_is_read_instead_of_the_homes_own(command: Command) -> None:
    own, other = Home.find().config_dir / "agent.toml", command.folder / "other.toml"
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text("nonsense = 1\n")
    other.write_text("[routing.tasks]\ncooking = ['recipe']\n")
    assert command.run("list").exit_code == 1
    assert command.run("--config", str(other), "--task", "cooking", "list").exit_code == 0
    assert command.attached[-1]["settings_path"] == other
    assert command.run("--config", str(command.folder / "none.toml"), "list").exit_code == 2


def test_now_is_what_a_service_that_is_started_takes_for_the_time(command: Command) -> None:
    assert command.run("--now", "2026-11-21T09:15:00+01:00", "list").exit_code == 0
    assert command.attached[-1]["options"] == ["--now", "2026-11-21T09:15:00+01:00"]


def test_every_option_has_a_test_here() -> None:
    options = {parameter.name for parameter in bots.ask.ask.params} - {"question"}
    tested = {"as_json", "grants", "tier", "task", "latency", "session", "images", "is_demo", "seed", "now", "settings_path"}
    assert options == tested
