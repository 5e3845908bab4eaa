"""What the cards say: asked through the driver's library, which fails in many ways and must never fail the engine."""

from __future__ import annotations

import logging
import time

import pytest

from inference.cards import nvml as nvml_module
from inference.cards.card import Card, held_by, missing, no_cards, owed, told
from inference.cards.nvml import NvmlProbe, open_cards
from tests.fakes.nvml import NAME, FakeNvml


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_cards_are_told_with_who_holds_what() -> None:
    nvml = FakeNvml(12288, 24576)
    nvml.take(7, {0: 4000, 1: 1000})
    nvml.take(8, {0: 2000})
    look = NvmlProbe(nvml)
    assert look() == (
        Card(0, NAME, "GPU-00000000", 12288, 6288, {7: 4000, 8: 2000}),
        Card(1, NAME, "GPU-00000001", 24576, 23576, {7: 1000}),
    )
    assert held_by(look(), [7, 9]) == {0: 4000, 1: 1000}
    assert held_by(look(), [9]) == {}
    assert told(look()) == "The cards say: GPU 0 has 6288 of 12288 MiB free, GPU 1 has 23576 of 24576 MiB free."
    assert nvml.opened == 1


def test_a_card_that_does_not_tell_of_processes_tells_of_its_memory() -> None:
    nvml = FakeNvml(12288)
    nvml.take(7, {0: 4000})
    nvml.tells_processes = False
    (card,) = NvmlProbe(nvml)()
    assert (card.free_mib, card.used_mib) == (8288, {})


def test_a_driver_that_is_lost_is_no_cards_said_once_and_found_again(caplog: pytest.LogCaptureFixture) -> None:
    nvml = FakeNvml(12288)
    look = NvmlProbe(nvml)
    assert len(look()) == 1
    nvml.has_driver = False
    assert (look(), look()) == ((), ())
    assert warnings_of(caplog) == ["graphics cards cannot be asked: Driver Not Loaded"]
    nvml.has_driver = True
    assert len(look()) == 1
    assert nvml.opened == 2


def test_one_lost_card_takes_no_other_with_it(caplog: pytest.LogCaptureFixture) -> None:
    nvml = FakeNvml(12288, 24576)
    nvml.cards[0].is_lost = True
    look = NvmlProbe(nvml)
    assert [card.index for card in look()] == [1]
    assert [card.index for card in look()] == [1]
    assert warnings_of(caplog) == ["graphics cards cannot be asked: GPU 0: GPU is lost"]


def test_a_driver_that_is_stuck_is_left_behind_and_asked_again_when_it_answers(caplog: pytest.LogCaptureFixture) -> None:
    nvml = FakeNvml(12288)
    nvml.answers.clear()
    look = NvmlProbe(nvml, bound_s=1)
    assert (look(), look()) == ((), ())
    assert warnings_of(caplog) == ["graphics cards cannot be asked: the driver did not answer within 1 s"]
    nvml.answers.set()
    while not look():
        time.sleep(0.02)


def test_without_a_driver_there_are_no_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_driver() -> bool:
        return False

    monkeypatch.setattr(nvml_module, "_has_driver", no_driver)
    assert open_cards() is no_cards
    assert no_cards() == ()


def test_the_real_binding_without_a_driver_answers_nothing(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def has_driver() -> bool:
        return True

    monkeypatch.setattr(nvml_module, "_has_driver", has_driver)
    look = open_cards()
    assert isinstance(look, NvmlProbe)
    for card in look():  # where the machine has cards
        assert 0 <= card.free_mib <= card.total_mib
    assert all("cannot be asked" in text for text in warnings_of(caplog))


def test_memory_is_back_when_no_process_holds_it_and_the_card_is_as_free_as_promised() -> None:
    before = (Card(0, "", "", 12000, 3000, {7: 8000, 9: 1000}), Card(1, "", "", 12000, 12000))
    debt = owed(before, [7, 8], {})
    assert debt.free_mib == {0: 3000 + 7200}
    assert missing(debt, before) == {0: 8000}
    assert missing(debt, (Card(0, "", "", 12000, 3000, {9: 1000}), before[1])) == {0: 7200}
    assert missing(debt, (Card(0, "", "", 12000, 10900, {9: 1000}), before[1])) == {}
    # What another program took meanwhile is not waited for.
    assert missing(debt, (Card(0, "", "", 12000, 8000, {9: 3000}), before[1])) == {0: 200}
    assert missing(debt, (Card(0, "", "", 12000, 8500, {9: 3500}), before[1])) == {}
    # The driver is lost: nothing is known to be missing.
    assert missing(debt, ()) == {}


def test_where_no_process_is_told_the_measured_load_counts() -> None:
    before = (Card(0, "", "", 12000, 3000), Card(1, "", "", 12000, 12000))
    debt = owed(before, [7], {0: 8000})
    assert missing(debt, before) == {0: 7200}
    assert missing(debt, (Card(0, "", "", 12000, 10200), before[1])) == {}
    assert missing(owed(before, [7], {}), before) == {}
