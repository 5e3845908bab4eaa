"""That a template has no tools is known for a while, and for one load of one model."""

from __future__ import annotations

from typing import Any

import pytest

from agent.engine.toolless import TOOLLESS_S, Toolless
from inference.contract.status import ServedModels


def served(**changes: Any) -> ServedModels:
    meta = {"kind": "tier", "model": "m", "state": "ready", "n_ctx": 4096, "loads": 1, "fingerprint": "a", **changes}
    return ServedModels.model_validate({"data": [{"id": "fast", "meta": meta}]})


@pytest.mark.parametrize(
    ("listed", "counts"),
    [
        ({}, True), ({"state": "unloaded"}, True), ({"loads": 2}, False), ({"loads": 0, "state": "unloaded"}, False),
        ({"model": "n"}, False), ({"n_ctx": 512}, False), ({"fingerprint": "b"}, False),
    ],
)  # fmt: skip
def test_it_counts_while_the_engine_lists_the_name_as_before(listed: dict[str, Any], counts: bool):
    known = Toolless()
    known.see(served())
    known.note("fast", is_toolless=True)
    known.see(served(**listed))
    assert known.names == ({"fast"} if counts else set())


def test_a_load_that_came_after_the_list_is_the_one_that_was_asked():
    known = Toolless()
    known.see(served(state="unloaded", loads=0))
    known.note("fast", is_toolless=True)
    known.see(served())
    assert known.names == {"fast"}
    known.note("fast", is_toolless=False)
    assert known.names == set()


def test_it_is_forgotten_in_time_and_with_the_engine():
    now = [0.0]
    known = Toolless(lambda: now[0])
    known.note("fast", is_toolless=True)
    known.see(served())
    now[0] = TOOLLESS_S - 1
    assert known.names == {"fast"}
    now[0] = TOOLLESS_S + 1
    assert known.names == set()
    known.note("fast", is_toolless=True)
    known.forget()
    assert known.names == set()
