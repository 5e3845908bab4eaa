"""RTE-1: `variet routes` as a shell sees it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from agent.routes.deciding.nodes import NodeState, TierState
from agent.routes.deciding.obstacles import OUTSIDE
from agent.routes.report import NodeRow, TierRow, node_row
from bots.route_lines import node_lines
from config.paths import Home
from tests.bots.conftest import await_service, end_leftover

RUN_BOUND_S = 90.0
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Runs a command; all of this module share one service, which stays."""
    home = Home.at(tmp_path_factory.mktemp("home")).prepare()
    environment = {**os.environ, **home.environment()}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.service_process", "--stay"], env=environment, stdin=subprocess.DEVNULL
    ) as service:

        def _run(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-m", "tests.fakes.variet", *arguments]
            return subprocess.run(command, env=environment, input=text, capture_output=True, text=True, timeout=RUN_BOUND_S, check=False)

        await_service(home)
        yield _run
        service.terminate()
    end_leftover(home)


@pytest.mark.timeout(400)
def test_nodes_limits_and_decisions_are_shown_and_a_text_is_explained(run: Run) -> None:
    shown = run("routes")
    assert shown.returncode == 0, shown.stderr
    assert "engine: up\n  fast: small, 8192 tokens, 70 tokens/s, ready\n" in shown.stdout
    assert "cloud: up, outside this house, today 3 of 3 calls, 0.25 of 2.00 spent\n" in shown.stdout
    assert "engine/fast by default (s-1)" in shown.stdout
    assert "predicted: begins in 0.5 s, ends in 4.0 s" in shown.stdout
    assert "actual: began in 0.6 s, took 3.5 s in 1 requests, 400 + 200 tokens" in shown.stdout
    parsed = json.loads(run("routes", "--json", "--limit", "0").stdout)
    assert ([node["name"] for node in parsed["nodes"]], parsed["decisions"]) == (["engine", "cloud"], [])
    explained = run("routes", "explain", "refactor", "this").stdout
    assert explained.startswith("engine/fast by default\n  signals: about 3 tokens (small), task coding\n")
    assert "cloud/glm is outside this house, and nothing here allows that" in explained
    piped = json.loads(run("routes", "explain", "--json", "--tier", "fast", "-", text="hello").stdout)
    assert (piped["tier"], piped["rule"]) == ("fast", "pin-option")
    assert piped["signals"]["needs"] == ["tools"], "every turn has its tools"
    wrong = run("routes", "explain", "--task", "codng", "refactor this")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith('variet routes: "codng" is no type of task in [routing.tasks]; there are: coding, ')


@pytest.mark.timeout(200)
def test_the_settings_alone_explain_without_a_service(run: Run) -> None:
    offline = run("routes", "explain", "--offline", "--json", "think #deep")
    assert json.loads(offline.stdout)["tier"] == "balanced"
    assert run("routes", "explain", "--latency", "soon", "x").returncode == 2
    assert json.loads(offline.stdout)["signals"]["needs"] == ["tools"]
    seeing = json.loads(run("routes", "explain", "--offline", "--json", "--need", "vision", "x").stdout)
    assert seeing["signals"]["needs"] == ["tools", "vision"]
    assert run("routes", "explain", "--offline", "--task", "codng", "x").returncode == 2


def test_a_tier_of_a_node_that_is_down_is_not_called_ready() -> None:
    tier = TierRow(name="x", model="big", n_ctx=8192, is_resident=True, unavailable="", load_s=None, prefill_tps=None, decode_tps=None)
    node = NodeRow(
        name="far", use="auto", is_external=False, health="down", why="it does not answer", is_gaming=False, main_tier="x", tiers=(tier,)
    )
    assert node_lines(node) == ["far: down (it does not answer)", "  x: big, 8192 tokens"]
    assert node_lines(node.model_copy(update={"health": "up"}))[1] == "  x: big, 8192 tokens, ready"


def test_a_node_that_the_settings_close_is_not_called_up() -> None:
    state = NodeState("cloud", is_external=True, tiers={"gpt": TierState("gpt")}, main_tier="gpt", closed=OUTSIDE)
    node = node_row(state, is_counted=False, calls=0, money=0.0, bounds=(None, None))
    assert node_lines(node) == ["cloud: closed (is outside this house, and nothing here allows that)", "  gpt:"]
