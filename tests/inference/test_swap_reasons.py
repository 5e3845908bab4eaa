"""Why a model comes, and who goes for it: said in words, by the scheduler that decided it, and kept where a person looks."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from inference.door.keys import add_key, load_keys
from inference.scheduling.policy import Policy
from inference.scheduling.reasons import Reason
from inference.scheduling.residency import Limits, Memory
from inference.scheduling.schedule import Arrived, Exited, Left, LoadFailed, MemoryReturned, Ticked, UnloadAsked
from inference.views import NO_FACTS, model_status, progress, queue
from tests.inference.engines import running
from tests.inference.test_scheduler_rules import Desk, ready_desk, spec

TWO = {"a": spec("a"), "b": spec("b")}


def came(desk: Desk, name: str) -> Reason | None:
    return desk.state.models[name].reason


def test_the_first_request_loads_its_model_because_there_is_room() -> None:
    desk = ready_desk()
    assert came(desk, "a") == Reason("a request asked for it, and there is room")


def test_a_model_that_nobody_waits_for_gives_way() -> None:
    desk = ready_desk()
    desk.feed(Arrived("2", "b", by="laptop"), Left("1"), at=0.3)
    assert desk.state.models["a"].gone == "room was made for b"
    assert progress(desk.state, "b", NO_FACTS, 0.3).reason is not None
    desk.vacate("a", at=0.4)
    assert came(desk, "b") == Reason("a request asked for it and nobody waits for a", "laptop", ("a",))


def test_a_request_past_the_bound_says_how_long_it_waited_and_how_many_wait_with_it() -> None:
    desk = ready_desk(Policy(TWO, age_bound_s=2.0))
    desk.feed(Arrived("2", "b"), Arrived("3", "b"), Arrived("4", "a"), at=1.0)
    desk.feed(Left("1"), Left("4"), at=3.1)
    desk.vacate("a", at=3.2)
    assert came(desk, "b") == Reason("a request waited 2.1 s, past the bound of 2 s; 2 wait for it", None, ("a",))


def test_a_higher_priority_is_told_as_such() -> None:
    desk = ready_desk(Policy({"a": spec("a", 1), "b": spec("b")}))
    desk.feed(Arrived("2", "a"), Arrived("3", "b", priority=1), at=0.5)
    desk.feed(Left("1"), at=1.0)
    desk.vacate("a", at=1.0)
    assert came(desk, "b") == Reason("a request waited 0.5 s and has the higher priority", None, ("a",))


def test_a_switch_and_a_forced_switch_say_so_and_by_whom() -> None:
    desk = ready_desk()
    desk.feed(Arrived("2", "b", takes_lease=False, by="laptop"), Left("1"), at=0.3)
    desk.vacate("a", at=0.4)
    assert came(desk, "b") == Reason("a switch or load asked for it", "laptop", ("a",))
    desk = ready_desk()
    desk.feed(Arrived("2", "b", takes_lease=False, is_forced=True, by="phone"), at=0.3)
    desk.vacate("a", at=0.4)
    assert came(desk, "b") == Reason("a switch that was forced", "phone", ("a",))


def test_room_that_nobody_wants_any_more_is_nobodys_reason() -> None:
    desk = ready_desk()
    desk.feed(Arrived("2", "b"), Left("1"), Left("2"), at=0.3)
    assert desk.state.models["b"].room is None
    desk.vacate("a", at=0.4)
    desk.feed(Arrived("3", "b"), at=9.0)
    assert came(desk, "b") == Reason("a request asked for it, and there is room")


def test_a_model_that_died_comes_back_for_that_reason() -> None:
    desk = ready_desk()
    desk.feed(Left("1"), Exited("a", 1, "it died."), at=5.0)
    desk.feed(MemoryReturned("a", 1), at=5.0)
    desk.feed(Ticked(), at=6.5)
    assert came(desk, "a") == Reason("its process had died, and nobody wants another model")


def test_another_try_after_running_out_of_memory_names_who_went() -> None:
    policy = Policy(TWO, memory=Memory({0: 10}, {"a": 4, "b": 4}), limits=Limits(max_llm=2))
    desk = ready_desk(policy)
    desk.feed(Arrived("2", "b"), Left("1"), at=1.0)
    desk.feed(LoadFailed("b", 1, "no memory", is_out_of_memory=True), MemoryReturned("b", 1), at=2.0)
    desk.vacate("a", at=3.0)
    assert came(desk, "b") == Reason("it ran out of memory beside other models, which make way for another try", None, ("a",))


def test_who_waits_is_told_for_what() -> None:
    def told(desk: Desk, at: float) -> list[str | None]:
        return [each.why for each in queue(desk.state, at)]

    desk = ready_desk(Policy({"a": spec("a", 1), "b": spec("b")}, age_bound_s=2.0))
    desk.feed(Arrived("2", "a"), Arrived("3", "b"), at=1.0)
    assert told(desk, 1.5) == ["a answers as many as it may (1)", "a answers, and takes new requests for 1.5 s more at most"]
    desk.feed(Left("2"), at=2.0)
    assert told(desk, 3.5) == ["a answers, and takes no new requests any more"]
    desk.feed(Left("1"), at=3.5)
    assert told(desk, 3.6) == ["a goes first"]
    desk.vacate("a", at=4.0)
    assert told(desk, 4.0) == ["it loads"]
    desk.feed(LoadFailed("b", 1, "no"), MemoryReturned("b", 1), Arrived("4", "b"), at=5.0)
    assert told(desk, 5.0) == ["its last start failed; the next is tried in 1 s"]


def test_who_waits_for_a_model_that_may_stay_is_told_how_long() -> None:
    desk = ready_desk(Policy(TWO, min_residency_s=4.0))
    desk.feed(Arrived("2", "b"), Left("1"), at=1.0)
    assert [each.why for each in queue(desk.state, 1.0)] == ["a stays 3.0 s more, its least"]
    desk = Desk()
    desk.feed(Arrived("1", "a"))
    desk.load("a", at=1.0)
    desk.feed(Arrived("2", "b"), at=2.0)
    desk.feed(Left("1"), at=3.0)
    assert [each.why for each in queue(desk.state, 3.0)] == ["a is kept for its own clients, 1.0 s more"]


@pytest.mark.parametrize(("why", "told"), [(None, "the model was unloaded"), ("a program wants its card", "a program wants its card")])
def test_a_model_that_was_unloaded_says_why(why: str | None, told: str) -> None:
    desk = ready_desk()
    desk.feed(Left("1"), UnloadAsked("a") if why is None else UnloadAsked("a", why=why))
    assert model_status(desk.state, "a", (), NO_FACTS).gone == told
    assert model_status(desk.state, "a", (), NO_FACTS).reason is None


async def test_reasons_are_in_status_and_events_and_are_kept_and_others_names_are_for_full_keys_alone(tmp_path: Path) -> None:
    file = tmp_path / "engine.keys"
    full, limited = add_key(file, "laptop"), add_key(file, "guest", tiers=("fast",))
    async with running(tmp_path, keys=load_keys(file)) as (on, _, _):
        mine, guests = ({"Authorization": f"Bearer {key}"} for key in (full, limited))
        await on.client.post("/engine/switch", json={"tier": "fast"}, headers=mine)
        await on.client.post("/engine/switch", json={"tier": "balanced"}, headers=mine)
        status = (await on.client.get("/engine/status", headers=mine)).json()
        guests_status = (await on.client.get("/engine/status", headers=guests)).json()
        while len((kept := (await on.client.get("/engine/swaps", headers=mine)).json())["swaps"]) < 2:  # noqa: ASYNC110 - a thread writes it, and tells nobody
            await anyio.sleep(0.01)
        guests_swaps = (await on.client.get("/engine/swaps", headers=guests)).json()["swaps"]
    reason = {"why": "a switch or load asked for it", "by": "laptop", "evicted": ["small"]}
    by_name = {each["name"]: each for each in status["models"]}
    assert by_name["large"]["reason"] == reason
    assert (by_name["small"]["reason"], by_name["small"]["gone"]) == (None, "room was made for large")
    assert status["age_bound_s"] == 10
    assert [each["reason"]["by"] for each in guests_status["models"] if each["reason"]] == [None]
    assert [(each["model"], each["outcome"], each["reason"]) for each in kept["swaps"][:1]] == [("large", "ready", reason)]
    assert {each["reason"]["by"] for each in guests_swaps} == {None}
